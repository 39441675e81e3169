"""What a bucket can do without: the feature sets that no run in it asks for."""

import json

import pytest
from kept_storage import another_set, feature_sets, settled_run, when_the_first_goes

from raysearch.__main__ import main
from raysearch.searching.bucket_upkeep import find_in_bucket, remove_from_bucket
from raysearch.storage.held_storage import held_storage
from raysearch.storage.object_lease import ObjectLease
from raysearch.storage.replica import open_storage, replica_of
from raysearch.streaming.store import feature_store


@pytest.fixture
def run(tmp_path):
    return settled_run(tmp_path / "results" / "run")


@pytest.fixture
def kept(bucket, run, tmp_path, monkeypatch):
    """A bucket with the run's settings, a set that it asks for and one that nobody does."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("raysearch.searching.bucket_upkeep.QUIET_S", 0)
    root = open_storage(f"{bucket}/{tmp_path.name}")
    replica = replica_of(root)
    replica.objects.write("run/spec.yaml", run.spec_file)
    for folder in feature_sets(root, run.spec()):
        (folder / "part-1.parquet").write_bytes(b"x" * 1000)
        replica.send(sorted(folder.iterdir()))
    return replica


def test_of_a_bucket_the_sets_go_that_no_run_asks_for(kept, capsys):
    place = kept.objects.url
    before = kept.objects.keys("")
    assert main(["gc", place, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["found"]
    name = found["path"].removeprefix(f"{place}/")
    assert (found["kind"], found["bytes"]) == ("feature set", 1002)
    assert kept.objects.keys("") == before
    assert main(["gc", place, "--remove"]) == 0
    assert capsys.readouterr().out.endswith("1002 B removed\n")
    assert kept.objects.keys("") == [key for key in before if not key.startswith(f"{name}/")]
    assert not kept.path(name).exists()
    assert len(list(feature_store(kept.root).iterdir())) == 1
    assert main(["gc", place]) == 0
    assert capsys.readouterr().out == f"{place}: nothing can go\n"


def test_a_bucket_that_is_worked_in_keeps_all(kept):
    with ObjectLease.acquire(kept.objects, "run"):
        leftovers = remove_from_bucket(kept)
    assert leftovers.found == []
    assert leftovers.notes == ["feature sets: stay as they are: a process holds run"]
    kept.objects.write("other/spec.yaml", b"model: {name: no_such_model}\n")
    leftovers = remove_from_bucket(kept)
    assert leftovers.found == []
    assert "no_such_model" in leftovers.notes[0]


def test_a_search_that_starts_in_a_bucket_meanwhile_keeps_its_sets(kept, run, monkeypatch):
    folder = another_set(kept.root, run.spec(), 14.0)
    kept.send(sorted(folder.iterdir()))
    assert len(find_in_bucket(kept).found) == 2
    leases = when_the_first_goes(monkeypatch, lambda: ObjectLease.acquire(kept.objects, "new"))
    removed = remove_from_bucket(kept)
    assert len(removed.found) == 1
    assert removed.notes == ["feature sets: stay as they are: a process holds new"]
    assert len({key.split("/")[1] for key in kept.objects.keys(".features")}) == 2
    leases[0].release()


def test_a_bucket_that_is_held_keeps_its_sets(kept):
    before = kept.objects.keys("")
    with held_storage(kept.root):
        leftovers = remove_from_bucket(kept)
    assert leftovers.found == []
    assert "a process holds .features-in-use" in leftovers.notes[0]
    assert kept.objects.keys("") == before
    assert len(find_in_bucket(kept).found) == 1


def test_the_systems_of_a_race_in_a_bucket_ask_for_theirs(kept):
    kept.objects.write("race/race.json", b"{}")
    settings = (
        kept.objects.read("run/spec.yaml").data.decode().replace("hop_ms: 20.0", "hop_ms: 12.0")
    )
    kept.objects.write("race/cnn/spec.yaml", settings.encode())
    assert find_in_bucket(kept).found == []
