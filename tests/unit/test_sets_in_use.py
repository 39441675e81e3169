"""Feature sets that ``gc`` leaves, whoever takes them up while it looks."""

import subprocess
import sys
from pathlib import Path

import pytest
from kept_storage import aged, another_set, feature_sets, found, settled_run, when_the_first_goes

from raysearch.__main__ import main
from raysearch.evaluation.cross_corpus import Plan, score_matrix
from raysearch.run_lease import RunLease
from raysearch.searching.storage_upkeep import find_leftovers, remove_leftovers
from raysearch.storage.held_storage import held_storage
from raysearch.streaming.store import feature_store
from raysearch.tuning.tuner import Watcher

SILENT = Watcher(lambda line: None, lambda what, done, total: None)


@pytest.fixture
def run(tmp_path):
    return settled_run(tmp_path / "results" / "run")


def test_a_search_that_starts_meanwhile_keeps_its_sets(run, monkeypatch):
    storage = run.root.parent
    used, _ = feature_sets(storage, run.spec())
    another_set(storage, run.spec(), 14.0)
    leases = when_the_first_goes(monkeypatch, lambda: RunLease.acquire(storage / "new"))
    removed = remove_leftovers(storage)
    assert len(removed.found) == 1
    assert removed.notes == ["feature sets: stays as it is: a process holds new"]
    assert len({used, *feature_store(storage).iterdir()}) == 2
    leases[0].release()


def test_a_run_that_has_ended_meanwhile_keeps_its_sets(run, monkeypatch):
    storage = run.root.parent
    hops = {12.0: feature_sets(storage, run.spec())[1]}
    hops[14.0] = another_set(storage, run.spec(), 14.0)
    first, second = sorted(hops, key=hops.__getitem__)

    def search():
        settings = run.spec_file.read_text().replace("hop_ms: 20.0", f"hop_ms: {second}")
        (storage / "new").mkdir()
        (storage / "new/spec.yaml").write_text(settings)

    when_the_first_goes(monkeypatch, search)
    assert [one.path for one in remove_leftovers(storage).found] == [hops[first]]
    assert (hops[first].is_dir(), hops[second].is_dir()) == (False, True)


def test_a_set_that_is_taken_up_as_its_name_goes_gets_it_back(run, monkeypatch):
    storage = run.root.parent
    _, unused = feature_sets(storage, run.spec())
    rename, leases = Path.rename, []

    def renaming(path, target):
        if path == unused:
            leases.append(RunLease.acquire(storage / "new"))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renaming)
    removed = remove_leftovers(storage)
    assert (removed.found, len(removed.notes), unused.is_dir()) == ([], 1, True)
    assert (unused / "manifest.json").read_text() == "{}"
    leases[0].release()


def test_a_storage_that_is_held_keeps_its_sets(run):
    storage = run.root.parent
    _, unused = feature_sets(storage, run.spec())
    with held_storage(storage), held_storage(storage):
        for mark in storage.glob(".features-in-use.*"):
            aged(mark)
        leftovers = remove_leftovers(storage)
        assert leftovers.found == []
        assert "feature sets: stays as it is: a process holds .features-in-use" in str(leftovers)
    assert not list(storage.glob(".features-in-use.*"))
    assert found(storage) == {unused: "feature set"}


def test_a_mark_of_a_killed_process_holds_nothing_and_goes(run):
    storage = run.root.parent
    _, unused = feature_sets(storage, run.spec())
    code = (
        "import os, sys, pathlib; from raysearch.storage.held_storage import held_storage\n"
        "with held_storage(pathlib.Path(sys.argv[1])): os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(storage)], check=True)
    (mark,) = storage.glob(".features-in-use.*")
    assert found(storage) == {unused: "feature set"}
    aged(mark)
    assert found(storage) == {unused: "feature set", mark: "temporary"}


class _Asking:
    """Stands for a winner: asks, as it gets its features, whether any may go."""

    def __init__(self):
        self.told = []

    def prepared(self, storage):
        self.told.append(find_leftovers(storage).found)


def test_sets_stay_while_winners_are_scored_across(run):
    storage, arm = run.root.parent, _Asking()
    feature_sets(storage, run.spec())
    assert score_matrix(Plan({"demo": [arm]}, {"demo": {}}, {}), storage, SILENT) == {
        "demo": {"demo": {}}
    }
    assert arm.told == [[]]


def test_settings_that_say_nothing_keep_all_feature_sets(run, capsys):
    feature_sets(run.root.parent, run.spec())
    other = run.root.parent / "other"
    other.mkdir()
    (other / "spec.yaml").write_text("model:\n  name: no_such_model\n")
    assert main(["gc", str(run.root.parent)]) == 0
    told = capsys.readouterr().out
    assert "feature sets: stays as it is" in told
    assert "no_such_model" in told
