"""What doctor's probes find on this machine and in a storage."""

import importlib.metadata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from raysearch.errors import ConfigError
from raysearch.service.doctor import all_reduce, node_probe
from raysearch.service.doctor.all_reduce import bus_bandwidth
from raysearch.service.doctor.cluster_findings import (
    assess_storage,
)
from raysearch.service.doctor.facts import (
    NodeFacts,
    NodeStorage,
    StoreFacts,
)
from raysearch.service.doctor.node_probe import NodeProbe
from raysearch.service.doctor.storage_probe import node_storage, opened

SHARED = NodeStorage(None, seen=True, came_back=True, locked_out=True)


@pytest.mark.parametrize(
    ("store", "node", "level", "told"),
    [
        ({}, SHARED, "ok", "shared and writable by this machine and 2 nodes"),
        ({}, replace(SHARED, locked_out=None), "ok", "shared"),
        ({"error": "Read-only file system"}, SHARED, "failed", "Read-only"),
        ({}, replace(SHARED, error="[Errno 13]"), "failed", "/s: b: [Errno 13]"),
        ({}, replace(SHARED, seen=False), "failed", "b and this machine do not see"),
        ({}, replace(SHARED, came_back=False), "failed", "b and this machine do not see"),
        ({}, replace(SHARED, locked_out=False), "warning", "does not keep b out"),
        ({"conditional": False}, SHARED, "failed", "leases do not hold"),
    ],
)
def test_storage_of_two_nodes(store, node, level, told):
    (finding,) = assess_storage(StoreFacts("/s", **store), {"a": SHARED, "b": node})
    assert finding.level == level
    assert told in finding.what


def test_bandwidth_is_nccl_tests_bus_bandwidth():
    assert bus_bandwidth(10**9, 1.0, 2) == pytest.approx(1.0)
    assert bus_bandwidth(10**9, 0.5, 4) == pytest.approx(3.0)


def test_probe_of_this_machine_finds_what_is_installed():
    facts = NodeFacts.from_plain(NodeProbe().look(None, ["/tmp"], "print('{}')", 20))
    assert facts.versions["ray"] == importlib.metadata.version("ray")
    assert facts.versions["raysearch"] == "0.1.0"
    assert facts.memory_gib > 0
    assert facts.max_files > 0
    assert list(facts.disk_gib) == ["/tmp"]


def test_sources_hash_follows_every_edit(tmp_path):
    package = tmp_path / "package"
    (package / "sub").mkdir(parents=True)
    (package / "a.py").write_text("1")
    before = node_probe._hash(package)
    (package / "sub" / "notes.txt").write_text("ignored")
    assert node_probe._hash(package) == before
    (package / "a.py").write_text("2")
    edited = node_probe._hash(package)
    (package / "a.py").rename(package / "sub" / "a.py")
    assert len({before, edited, node_probe._hash(package)}) == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import time; time.sleep(60)", "no answer within 1 s"),
        ("import os; os.kill(os.getpid(), 9)", "ended with -9"),
        ("raise OSError('libcudart.so: not found')", "OSError: libcudart.so: not found"),
    ],
)
def test_a_probe_that_hangs_or_dies_is_an_error(text, told):
    assert NodeProbe().run(text, [], 1) == {"error": told}


def test_two_ranks_sum_over_loopback():
    text = Path(all_reduce.__file__).read_text(encoding="utf-8")
    port = NodeProbe().free_port()
    common = ["2", "127.0.0.1", str(port), "gloo", str(2**16), "250"]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(NodeProbe().run, text, [str(r), *common], 250) for r in range(2)]
    for answer in (run.result() for run in runs):
        assert "error" not in answer, answer
        assert answer["seconds"] > 0


def exchanged(place, storage):
    with opened(str(storage)) as probe:
        assert probe.facts.error is None
        answer = NodeProbe().exchange(str(place), probe.folder, probe.token, "node")
        return node_storage(probe, "node", answer)


def test_a_shared_folder_is_found_shared_and_left_as_it_was(tmp_path):
    folder = tmp_path / "new" / "results"
    assert exchanged(folder, folder) == SHARED
    assert not (tmp_path / "new").exists()


def test_a_folder_of_the_same_name_elsewhere_is_not_shared(tmp_path, monkeypatch):
    monkeypatch.setattr(node_probe, "PATIENCE_S", 0.1)
    (tmp_path / "theirs").mkdir()
    found = exchanged(tmp_path / "theirs", tmp_path / "ours")
    assert (found.error, found.seen, found.came_back) == (None, False, False)
    assert list((tmp_path / "theirs").iterdir()) == []


def test_a_storage_that_cannot_be_written_is_a_finding(tmp_path):
    (tmp_path / "file").write_text("")
    with opened(str(tmp_path / "file" / "results")) as probe:
        assert probe.facts.error == "Not a directory"


def test_a_bucket_is_shared_and_has_a_clock(bucket):
    url = f"{bucket}/doctor"
    assert exchanged(url, url) == replace(SHARED, locked_out=None)
    with opened(url) as probe:
        assert probe.facts.conditional is True
        assert abs(probe.facts.clock_s) < 5
        store = probe.store
    assert store.keys("") == []


def test_a_bucket_that_is_not_there_is_a_finding(bucket):
    with opened(f"{bucket}-none/doctor") as probe:
        assert probe.facts.error is not None
    with pytest.raises(ConfigError, match="no storage"), opened("ftp://somewhere/else"):
        pass
