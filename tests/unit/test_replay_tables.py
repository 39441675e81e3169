"""Tables of recorded curves: from Parquet, from our own runs, and what is wrong with others."""

import math
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from curve_tables import falling, write_table
from fake_slots import FakeSearch, small_spec

from raysearch.config.distributions import LogUniform, Uniform
from raysearch.config.space import parse_space
from raysearch.errors import DataError, MissingPathError
from raysearch.replay.coordinates import coordinates
from raysearch.replay.found_tables import find_tables
from raysearch.replay.ledger_curves import read_run
from raysearch.replay.parquet_curves import read_parquet
from raysearch.run_folder import RunFolder
from raysearch.tuning.tolerance import ValidationNoise

ENDS = [1.0, 0.5, 0.8, 0.9]
LOSSES = [falling(end, 4) for end in ENDS]


def read(path):
    return read_parquet(path, path.stem)


def test_a_table_is_read_as_it_was_written(tmp_path):
    table = read(write_table(tmp_path / "one.parquet", LOSSES, hp_a=[1e-4, 1e-3, 1e-2, 1e-1]))
    assert table.max_epochs == 4
    assert table.space.fields["hp_a"][0].distribution == LogUniform(1e-4, 1e-1)
    assert [row.values for row in table.rows] == [losses[1:] for losses in LOSSES]
    assert [row.config["hp_a"] for row in table.rows] == [1e-4, 1e-3, 1e-2, 1e-1]
    assert table.untrained == 2.0
    # The median of 1.0, 0.5, 0.8 and 0.9 is 0.85.
    assert list(table.regrets(-pa.array([0.5, 0.85, 1.2]).to_numpy())) == pytest.approx([0, 1, 2])


def test_runs_that_diverged_count_as_ten(tmp_path):
    losses = [*LOSSES, [2.0, math.nan, math.inf, 1e30, None]]
    assert read(write_table(tmp_path / "t.parquet", losses)).rows[-1].values == [10.0] * 4


def test_a_range_that_reaches_zero_is_plain_and_one_value_is_not_searched(tmp_path):
    columns = {"hp_zero": [0.0, 0.5, 0.9, 0.1], "hp_same": [3.0] * 4, "hp_whole": [1, 2, 3, 4]}
    table = read(write_table(tmp_path / "t.parquet", LOSSES, **columns))
    kinds = {name: fields[0].distribution for name, fields in table.space.fields.items()}
    assert kinds == {"hp_zero": Uniform(0.0, 0.9), "hp_whole": LogUniform(1.0, 4.0)}


def test_lists_of_one_size_and_of_whole_numbers_will_do(tmp_path):
    sized = pa.array([[9, 5], [9, 3], [9, 4]], type=pa.list_(pa.int32(), 2))
    pq.write_table(pa.table({"hp_a": [1, 2, 4], "valid_loss": sized}), tmp_path / "t.parquet")
    assert [row.values for row in read(tmp_path / "t.parquet").rows] == [[5.0], [3.0], [4.0]]


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"valid_loss": LOSSES}, "no column is named hp_*"),
        ({"hp_a": [1.0, 2.0]}, "no column valid_loss"),
        ({"hp_a": pa.array([], pa.float64()), "valid_loss": pa.array([], pa.list_(pa.float64()))},
         "it has no rows"),
        ({"hp_a": [1.0, 2.0], "valid_loss": [[2.0, 1.0], [2.0, 1.0, 0.5]]},
         "valid_loss: row 1 has 3 points, row 0 has 2"),
        ({"hp_a": [1.0, 2.0], "valid_loss": [[2.0, 1.0], None]}, "valid_loss: row 1 has 0 points"),
        ({"hp_a": [1.0, 2.0], "valid_loss": [[2.0], [1.0]]}, "valid_loss: 1 point(s)"),
        ({"hp_a": [1.0, 2.0], "valid_loss": [1.0, 2.0]}, "valid_loss: it holds double"),
        ({"hp_a": [1.0, 2.0], "valid_loss": [["x"], ["y"]]}, "valid_loss: it holds list"),
        ({"hp_a": ["x", "y"], "valid_loss": LOSSES[:2]}, "hp_a: it holds string"),
        ({"hp_a": [1.0, None], "valid_loss": LOSSES[:2]}, "hp_a: row 1 is nan"),
        ({"hp_a": [1.0, 1.0], "valid_loss": LOSSES[:2]}, "all rows have the same hp_a"),
        ({"hp_a": [1.0, 2.0], "valid_loss": [[2.0, 1.0]] * 2}, "valid_loss: the median run ends"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_is_told_in_one_line(tmp_path, columns, words):
    path = tmp_path / "bad.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(DataError) as caught:
        find_tables(tmp_path, print)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_parquet_is_told_in_one_line(tmp_path):
    (tmp_path / "text.parquet").write_text("no table\nat all")
    with pytest.raises(DataError, match=r"text\.parquet: not a Parquet table: .*$"):
        find_tables(tmp_path, print)


def test_a_folder_without_tables_is_told(tmp_path):
    with pytest.raises(MissingPathError, match="no run in it or below it"):
        find_tables(tmp_path, print)
    with pytest.raises(MissingPathError, match="no such folder"):
        find_tables(tmp_path / "nowhere", print)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that stopped some trials; its own settings came first."""
    spec = small_spec(
        search__trials=20,
        search__reduction_factor=2,
        search__defaults_first=True,
        search__published_first=False,
    )
    search = FakeSearch(tmp_path_factory.mktemp("runs") / "mine", spec).run()
    (search.folder / "spec.yaml").write_text(spec.to_yaml())
    statuses = [record.status for record in search.trials.records.values()]
    assert statuses.count("pruned") > 0, "choose another seed"
    return search


def test_a_run_is_a_table_of_its_trials_that_reached_their_end(run):
    table = read_run(run.folder, "mine")
    whole = run.trials.with_status("completed")
    assert len(table.rows) == len(whole) < 20
    for row, record in zip(table.rows, whole, strict=True):
        assert row.config == record.config
        assert row.values == [epoch.metrics["val_uar"] for epoch in record.epochs.values()]
        assert row.costs == [1.0] * 4
    assert table.epoch_s == 0.5
    assert table.best == max(record.best_value for record in whole)
    assert [one.values for one in table.given] == [run.trials.records[0].config]


def test_the_noise_of_a_runs_validation_sets_is_its_tables(run, tmp_path):
    assert read_run(run.folder, "mine").noise is None, "nobody noted it"
    copy = tmp_path / "other"
    shutil.copytree(run.folder, copy)
    noise = ValidationNoise(((20, 12), (9, 9)), (2, 1))
    RunFolder(copy).add_session(0.0, 1, {"validation": noise.to_dict()})
    assert read_run(copy, "other").noise == noise


def test_runs_are_found_below_a_folder_but_not_in_one_another(run, tmp_path):
    copy = tmp_path / "group" / "other"
    shutil.copytree(run.folder, copy)
    shutil.copytree(run.folder, copy / "nested" / "fold-1")
    shutil.copytree(run.folder, tmp_path / ".hidden" / "run")
    write_table(tmp_path / "losses.parquet", LOSSES)
    write_table(copy / "predictions.parquet", LOSSES)
    names = [table.name for table in find_tables(tmp_path, print)]
    assert names == ["losses", "group/other"]
    assert [table.name for table in find_tables(run.folder, print)] == ["mine"]


def test_a_run_with_few_whole_curves_is_left_out_and_said(run, tmp_path):
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(run.folder / "spec.yaml", few)
    lines = (run.folder / "trials.jsonl").read_text().splitlines(keepends=True)
    (few / "trials.jsonl").write_text("".join(lines[:20]))
    with pytest.raises(DataError, match="a table needs 8"):
        find_tables(tmp_path, print)
    write_table(tmp_path / "losses.parquet", LOSSES)
    told = []
    assert [table.name for table in find_tables(tmp_path, told.append)] == ["losses"]
    assert told[0].startswith(f"left out: {few / 'trials.jsonl'}: ")


def test_settings_that_do_not_apply_have_no_place():
    data = {
        "kind": {"choice": ["a", "b"]},
        "rate": [
            {"loguniform": [1e-4, 1e-2], "when": {"kind": ["a"]}},
            {"uniform": [0, 1], "when": {"kind": ["b"]}},
        ],
    }
    space = parse_space(data, lambda field, key: "a")
    half = 0.5**0.5
    assert coordinates(space, {"kind": "a", "rate": 1e-3}) == pytest.approx([half, 0, 1, 0.5, 0, 0])
    assert coordinates(space, {"kind": "b", "rate": 0.2}) == pytest.approx([0, half, 0, 0, 1, 0.2])
    # Beyond the space is its edge.
    assert coordinates(space, {"kind": "b", "rate": 7.0})[-1] == 1.0
