"""Fetched parts under a disk budget: on demand, oldest use first out, none from under a reader."""

import dataclasses
import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from raysearch.errors import DataError, InfrastructureError
from raysearch.features.log_mel import LogMelConfig
from raysearch.storage.replica import open_storage, replica_of
from raysearch.streaming import store_index as store_index_module
from raysearch.streaming import store_parts as parts_module
from raysearch.streaming.fetch import fetch_rows, stored_rows
from raysearch.streaming.part_cache import PartCache, disk_budget
from raysearch.streaming.part_index import index_name, write_index
from raysearch.streaming.store import feature_source, fetch_indices, fetch_store, send_parts
from raysearch.streaming.store_index import publish_index, scan
from raysearch.streaming.store_parts import PartRow, part_name, write_part

NUM_PARTS, ROWS_A_PART = 5, 3


def values(number):
    return np.full((4, 8), number, np.float32)


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A store of five parts in a storage by URL, of which this machine has nothing yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "writer"))
    url = f"file://{tmp_path}/bucket"
    written = made(url)
    for part in range(NUM_PARTS):
        publish(written, part)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "reader"))
    return made(url)


def made(url):
    source = feature_source(open_storage(url) / ".features", "demo", "mel", LogMelConfig(n_mels=8))
    folder(source).mkdir(parents=True)
    return source


def folder(source):
    return Path(source.folder)


def publish(source, part, *, index=True):
    rows = [PartRow(f"u{part}-{i}", f"h{part}-{i}", values(part)) for i in range(ROWS_A_PART)]
    path = folder(source) / part_name(row.content_hash for row in rows)
    write_part(path, rows, source.identity)
    send_parts(source, [path.name])
    if index:
        publish_index(source, path.name)
    return path.name


def names(source):
    """The parts by the number that all of their values have."""
    fetch_indices(source)
    places = scan(source).locations
    return [places[f"h{part}-0"][0] for part in range(NUM_PARTS)]


def here(source):
    return {path.name for path in folder(source).glob("part-*")}


def asked(source):
    """All rows of every part, as a node's cache asks for them."""
    fetch_indices(source)
    index = scan(source)
    return [(part, index.parts[part].num_bytes, range(ROWS_A_PART)) for part in names(source)]


def test_many_parts_come_one_after_another_with_their_rows(source):
    found = list(fetch_rows(source, asked(source)))
    assert [part for part, _ in found] == names(source)
    for number, (_, rows) in enumerate(found):
        assert sorted(rows) == list(range(ROWS_A_PART))
        for row in rows.values():
            np.testing.assert_array_equal(row, values(number))


def test_what_the_system_refuses_is_no_faulty_setting(source):
    (part, _, rows), *others = asked(source)
    parts = [*others, (part, 1 << 62, rows)]  # no file can be as large
    with pytest.raises(InfrastructureError, match=r"File too large|Invalid argument"):
        list(fetch_rows(source, parts))


def cache_of(source, parts, max_parts):
    size = scan(source).parts[parts[0]].num_bytes
    root = folder(source).parent
    return PartCache(replica_of(root), root, int(max_parts * size) + 9), size


def test_planning_fetches_no_values(source):
    fetch_store(source)
    index = scan(source, repair=True)
    assert len(index.locations) == NUM_PARTS * ROWS_A_PART
    np.testing.assert_array_equal(index.stats(["h3-1"]).bin_sum, [[12.0] * 8])
    np.testing.assert_array_equal(index.stats(["h3-1"]).bin_sumsq, [[36.0] * 8])
    assert here(source) == set()


def test_parts_come_on_demand_and_the_least_recently_used_leave(source):
    parts = names(source)
    cache, size = cache_of(source, parts, 2)
    for number in (0, 1, 0, 2):
        path = folder(source) / parts[number]
        with cache.held(path, size):
            assert path.exists()
        os.utime(path, (1000 + len(here(source)) + number, 0) if number else (2000, 0))
        assert cache.num_bytes() <= 2 * size + 9
    assert here(source) == {parts[0], parts[2]}


def test_a_part_that_is_read_stays_and_one_that_only_this_machine_has(source):
    parts = names(source)
    own = publish(source, 9, index=False)
    cache, size = cache_of(source, parts, 1)
    with cache.held(folder(source) / parts[0], size):
        with cache.held(folder(source) / parts[1], size):
            assert {parts[0], parts[1], own} <= here(source)
        with cache.held(folder(source) / parts[2], size):
            assert here(source) == {parts[0], parts[2], own}


def test_many_readers_of_one_part_fetch_it_once(source, monkeypatch):
    parts = names(source)
    cache, size = cache_of(source, parts, 2)
    fetched = []
    fetch = type(cache._replica).fetch
    monkeypatch.setattr(
        type(cache._replica), "fetch", lambda self, keys: (fetched.append(keys), fetch(self, keys))
    )

    def read():
        with cache.held(folder(source) / parts[0], size):
            pass

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1


def churn(source, seed):
    """Read parts in a random order, each value looked at."""
    parts = names(source)
    size = scan(source).parts[parts[0]].num_bytes
    for number in np.random.default_rng(seed).integers(0, NUM_PARTS, 40):
        found = stored_rows(source, parts[number], size, [0, 2])
        assert all((values_TF == number).all() for values_TF in found.values())


def test_readers_share_a_budget_smaller_than_what_they_read(source):
    parts = names(source)
    _, size = cache_of(source, parts, 2)
    tight = dataclasses.replace(source, disk_bytes=2 * size + 9)
    # A lock is an open file's: threads meet each other as processes do.
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda seed: churn(tight, seed), range(3)))
    assert len(here(source)) <= 3  # what the last readers held
    assert not list(folder(source).parent.glob(".room-*"))


def test_a_copy_is_not_dropped_from_under_its_reader(source):
    parts = names(source)
    cache, size = cache_of(source, parts, 2)
    path = folder(source) / parts[0]
    dropping = threading.Thread(target=cache.drop, args=(path,))
    with cache.held(path, size):
        dropping.start()
        dropping.join(0.2)
        assert path.exists()
    dropping.join(10)
    assert not path.exists()


def test_what_was_computed_here_is_within_the_budget_once_it_is_stored(source):
    cache, _ = cache_of(source, names(source), 2)
    for number in range(10, 14):
        publish(source, number)
        cache.trim()
        assert 1 <= len(here(source)) <= 2
    fetch_indices(source)
    assert len(scan(source).parts) == NUM_PARTS + 4


def test_rows_that_the_storage_has_lost_are_missing(source):
    parts = names(source)
    replica = replica_of(folder(source))
    own = publish(source, 9)
    lost = [parts[0], own]
    replica.objects.delete([replica.key(folder(source) / name) for name in lost])
    fetch_store(source)
    found = scan(source, repair=True)
    assert parts[0] not in found.parts, "it is nowhere"
    assert own in found.parts
    assert replica.key(folder(source) / own) in replica.objects.keys(""), "it was still here"


def test_a_damaged_index_is_fetched_again(source):
    parts = names(source)
    (folder(source) / index_name(parts[2])).write_bytes(b"")
    assert len(scan(source).locations) == NUM_PARTS * ROWS_A_PART


def test_what_the_system_refuses_to_read_is_not_removed(tmp_path, monkeypatch):
    source = feature_source(tmp_path, "demo", "mel", LogMelConfig(n_mels=8))
    folder(source).mkdir(parents=True)
    part = publish(source, 1, index=False)

    def refuse(*_, **__):
        raise OSError(errno.EIO, "bad sector")

    monkeypatch.setattr(parts_module.pq, "ParquetFile", refuse)
    with pytest.raises(InfrastructureError, match="Input/output error"):
        scan(source, repair=True)
    assert here(source) == {part}


def test_a_folder_that_may_only_be_read_is_read(tmp_path, monkeypatch):
    source = feature_source(tmp_path, "demo", "mel", LogMelConfig(n_mels=8))
    folder(source).mkdir(parents=True)
    publish(source, 1, index=False)

    def refuse(*_):
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(store_index_module, "write_index", refuse)
    assert len(scan(source, repair=True).locations) == ROWS_A_PART


def test_a_torn_copy_is_fetched_again(source):
    parts = names(source)
    size = scan(source).parts[parts[1]].num_bytes
    (folder(source) / parts[1]).write_bytes(b"PAR1 torn")
    assert (stored_rows(source, parts[1], size, [1])[1] == 1).all()


def test_a_part_that_the_storage_lacks_is_the_storages_fault(source):
    parts = names(source)
    replica_of(folder(source)).objects.delete(
        [replica_of(folder(source)).key(folder(source) / parts[0])]
    )
    with pytest.raises(InfrastructureError, match="is gone"):
        stored_rows(source, parts[0], 10, [0])


def test_a_store_without_indices_is_given_them(source):
    fetch_indices(source)
    replica = replica_of(folder(source))
    listed = replica.objects.keys(replica.key(folder(source)))
    replica.objects.delete([key for key in listed if "index-" in key])
    for path in folder(source).iterdir():
        path.unlink()
    fetch_store(source)
    assert len(scan(source, repair=True).locations) == NUM_PARTS * ROWS_A_PART
    assert replica.objects.keys(replica.key(folder(source))) == listed


def test_an_index_that_cannot_be_relied_on_is_made_anew(tmp_path):
    source = feature_source(tmp_path, "demo", "mel", LogMelConfig(n_mels=8))
    folder(source).mkdir(parents=True)
    part = publish(source, 1)
    whole = (folder(source) / index_name(part)).read_bytes()
    write_index(tmp_path / "another", scan(source).parts[part], "{}")
    for wrong in (b"", whole[:-9], (tmp_path / "another").read_bytes()):
        (folder(source) / index_name(part)).write_bytes(wrong)
        assert len(scan(source, repair=True).locations) == ROWS_A_PART
        assert (folder(source) / index_name(part)).read_bytes() == whole
    (folder(source) / part).unlink()
    assert scan(source, repair=True).locations == {}
    assert not (folder(source) / index_name(part)).exists()
    with pytest.raises(DataError, match="1 rows are not in the store"):
        scan(source).check(source.folder, ["h1-0"])


def test_without_a_budget_half_of_the_disk_may_be_used(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("raysearch.streaming.part_cache.shutil.disk_usage", lambda path: usage)
    assert disk_budget(tmp_path) == 500
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "part-1.parquet").write_bytes(bytes(200))
    assert disk_budget(tmp_path) == 600
