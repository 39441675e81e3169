"""The frame of the benchmarks: turns, medians, targets, what is skipped, and the table."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from bench import Plan, measured, stored, write_table
from bench_frame import (
    Figure,
    Result,
    absent,
    alternate,
    at_least,
    at_most,
    equal,
    figure,
    ratio,
)  # fmt: skip
from bench_machine import commit, machine_facts
from bench_rows import ROWS, Row
from bench_text import lines_of, table

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MACHINE = machine_facts()
START = ratio(
    "first epoch, beside the usual way", [2.0, 8.0, 3.0], [10.0, 10.0, 10.0], at_most(0.4)
)


def result(row="cold_start", pairs=3, *, small=False, machine=MACHINE, figures=(START,)):
    about = "Both train the same first trial. " * 4
    command = f"python tests/benchmarks/{row}.py"
    day = "2026-11-27"
    return Result(row, about, command, pairs, small, 61.2, day, "abc1234", machine, tuple(figures))


def plan(folder, *rows, pairs=3, small=False, again=False):
    return Plan(rows or ROWS[:2], pairs, small, again, folder)


def test_ways_take_turns_and_are_told_which_pair_it_is():
    calls = []

    def way(name):
        return lambda pair: calls.append((name, pair)) or pair * 10

    assert alternate({"a": way("a"), "b": way("b")}, 3) == {"a": [0, 10, 20], "b": [0, 10, 20]}
    assert calls == [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_a_ratio_is_the_median_of_each_pairs_own():
    assert START.values == (0.2, 0.8, 0.3)
    assert START.median == 0.3  # not the ratio of the medians, nor the mean
    assert START.met


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [(at_most(2), 2, True), (at_most(2), 2.1, False), (at_least(2), 2, True), (None, 9, None)],
)
def test_a_target_is_met_on_its_side(goal, value, met):
    assert figure("seconds", "s", [value], goal).met is met


def test_what_is_not_there_meets_no_target():
    missing = absent("beside timm's", at_least(1), "timm is not installed")
    assert missing.met is None
    assert "not measured" in "\n".join(lines_of(result(figures=[missing])))


@pytest.mark.parametrize("theirs", [1.2, float("nan")])
def test_unequal_outputs_end_the_benchmark(theirs):
    equal("losses", [1.0, 2.0], [1.0, 2.001], 1e-3)
    with pytest.raises(SystemExit, match="losses: the two ways differ"):
        equal("losses", [1.0], [theirs], 1e-3)


def test_a_result_is_read_as_it_was_written(tmp_path):
    whole = result(figures=[START, absent("beside librosa", None, "it is not installed")])
    whole.write(tmp_path / "one.json")
    assert Result.read(tmp_path / "one.json") == whole


def test_a_finished_row_is_not_measured_again(tmp_path):
    first, second = ROWS[:2]
    assert plan(tmp_path).due(MACHINE) == [first, second]
    result(first.name).write(tmp_path / f"{first.name}.json")
    assert plan(tmp_path).due(MACHINE) == [second]
    assert plan(tmp_path, again=True).due(MACHINE) == [first, second]
    assert plan(tmp_path, pairs=4).due(MACHINE) == [first, second]


def test_another_machine_or_a_try_does_not_finish_a_row(tmp_path):
    (row,) = rows = ROWS[:1]
    path = tmp_path / f"{row.name}.json"
    result(row.name).write(path)
    other = dataclasses.replace(MACHINE, cpu="another")
    assert plan(tmp_path, *rows).due(other) == [row]
    assert plan(tmp_path, *rows).due(dataclasses.replace(MACHINE, load=9.0)) == []
    result(row.name, small=True).write(path)
    assert plan(tmp_path, *rows).due(MACHINE) == [row]
    assert plan(tmp_path, *rows, small=True).due(MACHINE) == []


def test_a_script_that_fails_is_told_and_leaves_what_was_there(tmp_path):
    row = Row("cold_start", "no_such_script.py", cheap=True, limit_min=1)
    result().write(tmp_path / "cold_start.json")
    assert measured(row, plan(tmp_path, row)) == "its script ended with exit code 2"
    assert stored(tmp_path, row) == result()


def test_a_script_that_takes_too_long_is_ended(tmp_path):
    script = tmp_path / "slow.py"
    script.write_text("import time\ntime.sleep(600)\n")
    row = Row("cold_start", str(script), cheap=True, limit_min=0.002)
    assert measured(row, plan(tmp_path, row)) == "not over after 0.002 minutes"
    assert not [one for one in psutil.Process().children() if str(script) in one.cmdline()]


def test_the_table_has_every_figure_and_says_what_lacks_one(tmp_path):
    folder = tmp_path / "benchmarks"
    slow = figure("first epoch", "s", [16.0, 15.5, 17.0], at_most(15))
    result(figures=[START, slow]).write(folder / "cold_start.json")
    lines = write_table(folder).read_text().splitlines()
    assert (
        "| cold_start | first epoch, beside the usual way | at most 0.40x | 0.30x (0.20 to 0.80) "
        "| met |"
    ) in lines
    assert "| cold_start | first epoch | at most 15.0 s | 16.0 s (15.5 to 17.0) | missed |" in lines
    assert "`python tests/benchmarks/cold_start.py`" in lines
    assert f"{MACHINE.words()}." in lines
    assert lines[-1].startswith("Not measured: turnover, ")


def test_two_machines_are_numbered():
    other = dataclasses.replace(MACHINE, cpu="another")
    text = table([result(), result("epochs", machine=other)])
    assert f"Machine 2: {other.words()}." in text
    assert "2026-11-27, machine 2, commit abc1234: 3 pairs in 61 s" in text


def test_a_terminal_of_80_columns_shows_a_result_whole():
    wide = Figure("samples a second, a tiny network, beside a loop by hand", "x", (0.912, 1.134))
    told = list(
        lines_of(result(figures=[START, wide, absent("librosa", at_most(1), "none " * 30)]))
    )
    assert max(map(len, told)) <= 80
    assert any("0.30x (0.20 to 0.80)    at most 0.40x: met" in line for line in told)


def test_every_row_has_its_script_with_the_usual_options():
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        text = (BENCHMARKS / row.script).read_text()
        assert f'run_script("{row.name}", __doc__, measure)' in text


def test_the_commit_is_that_of_the_code():
    head = subprocess.run(
        ["git", "rev-parse", "--short=7", "HEAD"], cwd=BENCHMARKS, capture_output=True, text=True
    )
    if head.returncode:
        pytest.skip("not a git checkout")
    assert commit().startswith(head.stdout.strip())
