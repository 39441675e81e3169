"""What replays amount to, and the verb that tells it."""

import json

import numpy as np
import pytest
from curve_tables import falling, write_table

from raysearch.cli.main import run_command
from raysearch.replay.measures import NUM_STEPS, measure


def steps(*levels):
    """A regret that falls to each level after so many thousandths of the budget."""
    curve = np.full(NUM_STEPS + 1, 2.0)
    for at, level in levels:
        curve[at:] = level
    return curve


def test_regret_is_the_mean_over_tables_of_means_over_seeds():
    regrets = {
        "a": np.array([steps((50, 1.0)), steps((50, 0.8)), steps((50, 0.6))]),
        "b": np.array([steps((500, 0.2)), steps((500, 0.4)), steps((501, 0.0))]),
    }
    found = measure(regrets, regrets).regret
    assert found["0.1"].mean == pytest.approx((0.8 + 2.0) / 2)
    assert found["0.5"].tables["b"]["mean"] == pytest.approx((0.2 + 0.4 + 2.0) / 3)
    assert found["1"].mean == pytest.approx((0.8 + 0.2) / 2)
    # Student's t with two degrees of freedom, 4.303, times 0.2 / sqrt(3).
    low, high = found["1"].tables["a"]["interval"]
    assert (low, high) == pytest.approx((0.8 - 0.4968, 0.8 + 0.4968), abs=1e-3)
    assert found["1"].tables["b"]["interval"][0] == 0.0


def test_the_present_rule_is_caught_up_with_after_a_share_of_its_epochs():
    present = {"a": np.array([steps((100, 0.5), (400, 0.3), (900, 0.1))] * 4)}
    rule = {"a": np.array([steps((50, 0.4), (200, 0.2), (450, 0.1))] * 4)}
    found = measure(rule, present).epochs_to_present
    assert {share: one.mean for share, one in found.items()} == pytest.approx(
        {"0.25": 50 / 250, "0.5": 200 / 500, "1": 450 / 1000}
    )
    assert found["1"].interval == pytest.approx((0.45, 0.45))
    assert found["1"].unreached == []
    assert measure(present, present).epochs_to_present["1"].mean == pytest.approx(0.9)


def test_what_is_not_reached_counts_as_the_whole_budget_and_is_said():
    present = {"a": np.array([steps((100, 0.5))]), "b": np.array([steps((100, 0.5))])}
    rule = {"a": np.array([steps((100, 0.6))]), "b": np.array([steps((250, 0.4))])}
    found = measure(rule, present).epochs_to_present
    assert found["1"].unreached == ["a"]
    assert found["1"].mean == pytest.approx((1 + 0.25) / 2)
    assert found["0.25"].mean == pytest.approx((4 + 1) / 2)
    assert found["1"].interval is None


def test_an_interval_of_catching_up_holds_the_mean():
    rng = np.random.default_rng(1)
    present = {"a": np.array([steps((300 + rng.integers(400), 0.2)) for _ in range(20)])}
    rule = {"a": np.array([steps((100 + rng.integers(400), 0.1)) for _ in range(20)])}
    found = measure(rule, present).epochs_to_present["1"]
    low, high = found.interval
    assert 0 < low < found.mean < high < 1


@pytest.fixture
def tables(tmp_path):
    write_table(tmp_path / "a.parquet", [falling(0.5 + i / 20, 6) for i in range(12)])
    write_table(tmp_path / "b.parquet", [falling(1.5 - i / 20, 4) for i in range(10)])
    return tmp_path


def test_the_verb_tells_it_by_rule_and_the_same_each_time(tables, capsys):
    command = ["replay", "--tables", str(tables), "--seeds", "2", "--slots", "2", "--json"]
    assert run_command(command) == 0
    text = capsys.readouterr()
    told = json.loads(text.out)
    assert list(told["rules"]) == ["random", "tpe", "median", "asha", "promote", "default"]
    for rule in told["rules"].values():
        assert list(rule["regret"]) == ["0.1", "0.25", "0.5", "1"]
        assert list(rule["epochs_to_present"]) == ["0.25", "0.5", "1"]
        assert list(rule["regret"]["1"]["tables"]) == ["a", "b"]
    assert told["tables"]["a"] == {"budget": 36, "switch_cost": 0.0}
    assert told["tables"]["b"]["budget"] == 20
    assert "a second" in text.err
    assert run_command(command) == 0
    assert json.loads(capsys.readouterr().out) == told


def test_the_verb_prints_a_table(tables, capsys):
    options = ["--rules", "asha,random", "--seeds", "1", "--budget", "30"]
    assert run_command(["replay", "--tables", str(tables), *options]) == 0
    text = capsys.readouterr().out
    assert "2 table(s), 1 seed(s), budget 30 epochs, 1 slot(s)" in text
    words = [line.split()[0] for line in text.splitlines()]
    blocks = 3 * ["rule", "asha", "random"]  # regrets, epochs, forecasts
    assert [word for word in words if word in ("rule", "asha", "random")] == blocks


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--rules", "ash"], 2, "no rule 'ash' (did you mean 'asha'?)"),
        (["--rules", ","], 2, "no rule is named (one of: random, tpe"),
        (["--seeds", "0"], 2, "a number from 1 on is expected"),
        (["--switch-cost", "-1"], 2, "write epochs as 0.5"),
        (["--switch-cost", "2s"], 2, "a.parquet: valid_loss: nobody recorded how long"),
    ],
)
def test_mistakes_are_told_in_a_line(tables, capsys, options, code, words):
    try:
        found = run_command(["replay", "--tables", str(tables), *options])
    except SystemExit as error:
        found = error.code
    assert found == code
    assert words in capsys.readouterr().err


def test_a_bad_table_ends_with_the_code_of_bad_data(tables, capsys):
    write_table(tables / "c.parquet", [[2.0, 1.0]] * 3)
    assert run_command(["replay", "--tables", str(tables)]) == 3
    assert f"{tables / 'c.parquet'}: valid_loss: the median run" in capsys.readouterr().err
    assert run_command(["replay", "--tables", str(tables / "none")]) == 2
