"""A run's folder: taken, resumed, refused."""

import json
import os

import pytest
from fake_slots import small_spec

from raysearch.errors import MissingPathError, OtherSettingsError, RunExistsError, UserError
from raysearch.ledger import Ledger
from raysearch.run_folder import RACE, RunFolder, newest_equal_run, write_json, write_text
from raysearch.spec import SearchSpec


@pytest.fixture(scope="module")
def spec():
    return small_spec()


def opened(root, spec, mtime=None):
    run = RunFolder(root)
    run.open(spec, resume=False)
    if mtime is not None:
        os.utime(run.spec_file, (mtime, mtime))
    return run


def test_a_new_run_keeps_its_settings(tmp_path, spec):
    run = opened(tmp_path / "a" / "run", spec)
    assert run.spec() == spec
    assert RunFolder.existing(run.root) == run
    assert run.info() == {}
    assert run.trials().records == {}


def test_a_folder_without_a_run_is_no_run(tmp_path):
    with pytest.raises(MissingPathError, match=r"run: not a run's folder: it has no spec\.yaml"):
        RunFolder.existing(tmp_path / "run")


def test_a_name_that_is_taken_is_refused(tmp_path, spec):
    run = opened(tmp_path / "run", spec)
    before = run.spec_file.read_bytes()
    with pytest.raises(RunExistsError, match=r"continue it with --resume, or choose another"):
        run.open(small_spec(search__trials=99), resume=False)
    assert run.spec_file.read_bytes() == before


def test_nothing_to_resume(tmp_path, spec):
    with pytest.raises(UserError, match="nothing to resume there; leave --resume out"):
        RunFolder(tmp_path / "run").open(spec, resume=True)
    assert not (tmp_path / "run").exists()


def test_other_settings_are_listed_and_nothing_is_written(tmp_path, spec):
    run = opened(tmp_path / "run", spec)
    before = run.spec_file.read_bytes()
    other = small_spec(training__epochs=9, search__seed=5, search__trials=50)
    with pytest.raises(RunExistsError) as refusal:
        run.open(other, resume=True)
    message = str(refusal.value)
    assert "search.seed: 0 -> 5; training.epochs: 4 -> 9" in message
    assert "search.trials" not in message
    assert run.spec_file.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        {"search__trials": 50},
        {"search__epoch_budget": 9},
        {"search__time_budget": "1h"},
        {"search__slots": 3},
        {"search__tier": "stream"},
        {"search__cpus_per_worker": 2},
        {"search__max_attempts": 9},
        {"search__checkpoint_every_s": 1.0},
        {"corpus__data": "/elsewhere"},
    ],
)
def test_budgets_and_the_machine_may_change(tmp_path, spec, change):
    run = opened(tmp_path / "run", spec)
    changed = small_spec(**change)
    run.open(changed, resume=True)
    assert run.spec() == changed


@pytest.mark.parametrize(
    "change",
    [
        {"search__workers": 2},
        {"search__scheduler": "median"},
        {"search__objective": "val_wa"},
        {"model__width": 8},
        {"space__model__width": {"choice": [8, 12]}},
        {"protocol__fold": 1},
    ],
)
def test_what_decides_the_outcome_may_not(tmp_path, spec, change):
    run = opened(tmp_path / "run", spec)
    with pytest.raises(RunExistsError, match="cannot resume with other settings"):
        run.check(small_spec(**change), resume=True)


def test_the_newest_equal_run_is_found(tmp_path, spec):
    opened(tmp_path / "old", spec, mtime=1_000)
    opened(tmp_path / "newer", spec, mtime=2_000)
    opened(tmp_path / "other", small_spec(search__seed=3), mtime=3_000)
    opened(tmp_path / "damaged", spec, mtime=4_000).spec_file.write_text("space: [")
    assert newest_equal_run(tmp_path, spec).root == tmp_path / "newer"
    more = small_spec(search__trials=50)
    assert newest_equal_run(tmp_path, more).root == tmp_path / "newer"
    with pytest.raises(UserError, match="no run has these settings; name the one"):
        newest_equal_run(tmp_path, small_spec(search__seed=4))
    with pytest.raises(UserError, match="no run has these settings"):
        newest_equal_run(tmp_path / "nowhere", spec)


def test_each_driver_is_noted(tmp_path, spec):
    run = opened(tmp_path / "run", spec)
    run.add_session(10.0, 1, {"seed": 0, "versions": {"ray": "1"}})
    run.end_session("interrupted")
    run.add_session(20.0, 2, {"seed": 0, "versions": {"ray": "2"}})
    info = run.info()
    assert info["versions"] == {"ray": "1"}, "the first driver's facts stay"
    first, second = info["sessions"]
    assert (first["fence"], first["outcome"]) == (1, "interrupted")
    assert second == {"started": 20.0, "fence": 2}


def test_trials_are_those_of_the_ledger(tmp_path, spec):
    run = opened(tmp_path / "run", spec)
    ledger = Ledger.open(run.ledger_file, 1)
    ledger.append("started", trial="0" * 12, number=0, attempt=1, config={})
    assert [r.status for r in run.trials().records.values()] == ["running"]
    ledger.close()


def test_files_are_replaced_whole(tmp_path):
    path = tmp_path / "file"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    write_text(path, "b")
    assert path.read_text() == "b"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("resume", [False, True])
def test_the_name_of_a_race_is_taken(tmp_path, resume):
    run = RunFolder(tmp_path / "raced")
    run.root.mkdir()
    (run.root / RACE).write_text("{}")
    with pytest.raises(RunExistsError, match="a race of this name exists; continue it with"):
        run.open(small_spec(), resume=resume)
    assert [path.name for path in run.root.iterdir()] == [RACE]


def test_a_run_from_before_trials_paused_goes_on_without_its_space(tmp_path):
    told = {"search__scheduler": "asha", "search__grace_epochs": 2, "search__noise": 1.0}
    run = opened(tmp_path / "run", small_spec(**told))
    now = SearchSpec.load("cnn")
    with pytest.raises(OtherSettingsError) as refused:
        run.check(now, resume=True)
    message = str(refused.value)
    assert "search.scheduler: asha -> promote" in message
    assert "search.grace_epochs: 2 -> None" in message
    run.check(run.spec(), resume=True)
