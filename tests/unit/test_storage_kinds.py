"""A folder and a store of objects keep a run alike, and whoever is given either asks it alone."""

import shutil

import pytest

from raysearch.errors import RunExistsError
from raysearch.published_folder import publish
from raysearch.storage.replica import open_storage
from raysearch.storage.two_kinds import LocalStorage, ObjectStorage, storage_of

START = {"trial": "abc", "number": 0, "attempt": 1, "config": {}}


@pytest.fixture(params=["folder", "objects"])
def storage(request, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if request.param == "folder":
        return storage_of(tmp_path / "results")
    return storage_of(open_storage(f"{request.getfixturevalue('bucket')}/{tmp_path.name}"))


def test_a_run_is_held_once_and_its_fence_rises(storage):
    run = storage.root / "one"
    with storage.lease(run) as first:
        fence = first.fence
        first.check()
        with pytest.raises(RunExistsError), storage.lease(run):
            pass
    with storage.lease(run) as second:
        assert second.fence > fence


def test_what_was_kept_is_there_for_the_next_driver(storage):
    run = storage.root / "one"
    folder = run / "checkpoints" / "0000" / "epoch-1-attempt-1"
    with storage.lease(run) as lease:
        ledger = storage.ledger(run, lease.fence)
        ledger.append("started", **START, seed=1)
        ledger.close()
        publish(folder, lambda stage: (stage / "weights").write_text("w"))
        storage.publish(folder)
        (run / "summary.json").write_text("{}")
        storage.sync(run).send()
    if isinstance(storage, ObjectStorage):
        shutil.rmtree(run)  # as on another machine
    with storage.lease(run) as lease:
        assert [e.event for e in storage.ledger(run, lease.fence).events] == ["started"]
        assert (storage.fetch(folder) / "weights").read_text() == "w"
        assert (run / "summary.json").read_text() == "{}"


def test_whoever_was_given_none_finds_the_same(storage):
    found = storage_of(storage.root / "one")
    assert type(found) is type(storage)
    if isinstance(found, LocalStorage):
        assert found.root == storage.root / "one"
    else:
        assert found == storage
