"""What a machine that died, slept or lost its network leaves in a store, and who clears it up."""

import io
import shutil
import socket
import time
from dataclasses import replace

import obstore
import pytest
from fake_group import task

from raysearch import patience
from raysearch.errors import ConfigError, DataError, InfrastructureError, StorageRefusedError
from raysearch.ledger import Ledger, read
from raysearch.published_folder import publish
from raysearch.storage import object_lease as lease_module
from raysearch.storage import segments as segments_module
from raysearch.storage.object_lease import ObjectLease
from raysearch.storage.objects import ObjectStore
from raysearch.storage.publication import Publication
from raysearch.storage.replica import open_storage, replica_of
from raysearch.storage.run_storage import acquire_run, fetch_run, send_published
from raysearch.storage.segments import SegmentLedger, fetch_ledger
from raysearch.storage.small_files import RunSender
from raysearch.storage.two_kinds import storage_of
from raysearch.streaming import store
from raysearch.trial_records import Trials
from raysearch.tuning.checkpoint_keeper import CheckpointKeeper
from raysearch.workers.trial_session import TrialSession

START = {"trial": "abc", "number": 0, "attempt": 1, "config": {}}


@pytest.fixture
def run(bucket, tmp_path, monkeypatch):
    """The folder of a run that is kept in a bucket."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return open_storage(f"{bucket}/{tmp_path.name}") / "one"


@pytest.fixture
def objects(run):
    return replica_of(run).objects


def write(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def replace_driver(objects):
    """Another machine takes the run over, as it may once the lease has run out."""
    objects.write("one/lease.json", lease_module._content(9))


def test_a_replaced_driver_sends_nothing_more(run, objects):
    holding = acquire_run(run)
    holding.__enter__()
    write(run, "summary.json", "ours")
    storage_of(run).sync(run).send()
    replace_driver(objects)
    write(run, "summary.json", "stale")
    with pytest.raises(InfrastructureError, match="taken over"):
        holding.__exit__(None, None, None)
    assert objects.read("one/summary.json").data == b"ours"


def test_a_renewal_whose_answer_was_lost_is_ours(objects, monkeypatch):
    monkeypatch.setattr(lease_module, "RENEW_S", 3600.0)
    with ObjectLease.acquire(objects, "one") as lease:
        objects.write("one/lease.json", lease_module._content(lease.fence))
        assert lease._own_tag() == objects.read("one/lease.json").tag
        replace_driver(objects)
        assert lease._own_tag() is None


def test_a_segment_whose_answer_was_lost_is_ours(objects, tmp_path, monkeypatch):
    ledger = SegmentLedger.open(tmp_path / "trials.jsonl", 1, objects, "one")
    create = objects.create

    def answer_lost(key, data):
        create(key, data)

    monkeypatch.setattr(type(objects), "create", lambda self, key, data: answer_lost(key, data))
    for number in (0, 1):
        ledger.append("started", **{**START, "number": number}, sync=True)
        ledger.flush()
    fetch_ledger(objects, "one", tmp_path / "there.jsonl")
    assert [event.number for event in read(tmp_path / "there.jsonl")] == [0, 1]


def test_a_driver_that_slept_through_its_successor_does_not_write(run, objects, tmp_path):
    with acquire_run(run) as lease:
        stale = SegmentLedger.open(tmp_path / "one.jsonl", lease.fence, objects, "one")
        stale.append("started", **START)
        stale.flush()
        replace_driver(objects)
        stale.append("started", **{**START, "number": 1, "trial": "def"})
        with pytest.raises(InfrastructureError, match="another driver has it"):
            stale.flush()
        with pytest.raises(InfrastructureError, match="another driver has it"):
            stale.append("started", **{**START, "number": 2, "trial": "ghi"})
        assert len(objects.keys("one/ledger")) == 1
        objects.write("one/lease.json", lease_module._content(lease.fence))  # for its end


def test_what_a_stale_driver_wrote_all_the_same_is_void(objects, tmp_path, monkeypatch):
    """It looked at the fence, slept, and wrote once its successor had begun."""
    objects.write("one/lease.json", lease_module._content(1))
    stale = SegmentLedger.open(tmp_path / "stale.jsonl", 1, objects, "one")
    stale.append("started", **START)
    stale.flush()
    objects.write("one/lease.json", lease_module._content(2))
    living = SegmentLedger.open(tmp_path / "living.jsonl", 2, objects, "one")
    with monkeypatch.context() as patch:
        patch.setattr(segments_module, "current_fence", lambda *_: 1)
        for number in (1, 2):
            stale.append("started", **{**START, "number": number, "trial": f"stale{number}"})
            stale.flush()
    living.append("resumed", trial="abc", number=0, attempt=2, epoch=0)
    living.flush()
    living.append("started", **{**START, "number": 1, "trial": "living"})
    living.flush()
    fetch_ledger(objects, "one", tmp_path / "two.jsonl")
    assert [(e.event, e.trial) for e in read(tmp_path / "two.jsonl")] == [
        ("started", "abc"),
        ("resumed", "abc"),
        ("started", "living"),
    ]


def test_a_refusal_does_not_end_the_renewal(run, objects, monkeypatch):
    """A token that ran out for a moment, say; the driver goes on, and its lease must."""
    monkeypatch.setattr(lease_module, "RENEW_S", 0.05)
    refused, put = [], ObjectStore.swap

    def refuse_twice(self, key, *rest):
        if len(refused) < 2:
            refused.append(key)
            raise StorageRefusedError("403")
        return put(self, key, *rest)

    with ObjectLease.acquire(objects, "one") as lease:
        before = objects.read("one/lease.json").tag
        monkeypatch.setattr(ObjectStore, "swap", refuse_twice)
        deadline = time.monotonic() + 10
        while objects.read("one/lease.json").tag == before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert objects.read("one/lease.json").tag != before
        lease.check()


def test_a_refusal_does_not_hide_how_the_search_ended(run, monkeypatch):
    def ends():
        with acquire_run(run):
            monkeypatch.setattr(RunSender, "send", refuse)
            raise DataError("a leak")

    def refuse(self):
        raise StorageRefusedError("403")

    monkeypatch.setattr(patience, "PATIENCE_S", 0)
    with pytest.raises(DataError, match="a leak"):
        ends()


def test_the_last_files_are_sent_once_a_refusal_has_passed(run, objects, monkeypatch):
    monkeypatch.setattr(patience, "PAUSE_S", 0.01)
    refused, send = [], RunSender.send

    def refuse_twice(self):
        if len(refused) < 2:
            refused.append(1)
            raise StorageRefusedError("403")
        send(self)

    with acquire_run(run):
        write(run, "summary.json", "last")
        monkeypatch.setattr(RunSender, "send", refuse_twice)
    assert objects.read("one/summary.json").data == b"last"


def test_lines_that_never_got_there_leave_no_gap(objects, tmp_path):
    path = tmp_path / "trials.jsonl"
    local = Ledger.open(path, 1)
    local.append("started", **START)
    local.close()  # killed before it was sent
    again = SegmentLedger.open(path, 2, objects, "one")
    again.append("started", **START, sync=True)
    again.close()
    fetch_ledger(objects, "one", tmp_path / "there.jsonl")
    assert [(event.seq, event.fence) for event in read(tmp_path / "there.jsonl")] == [(1, 2)]


def test_what_a_driver_here_is_writing_is_not_fetched_over(run):
    with acquire_run(run):
        write(run, "summary.json", "first")
        storage_of(run).sync(run).send()
        write(run, "summary.json", "second")
        fetch_run(run)
        assert (run / "summary.json").read_text() == "second"
    write(run, "summary.json", "forgotten")
    fetch_run(run)
    assert (run / "summary.json").read_text() == "second"


def test_a_dead_drivers_checkpoints_are_swept_from_the_store(run, objects):
    folder = run / "checkpoints" / "0000" / "epoch-0001-attempt-1"
    publish(folder, lambda stage: write(stage, "weights", "w"))
    send_published(folder)
    shutil.rmtree(run)  # another machine's
    CheckpointKeeper(run, keep_best=3).sweep(Trials("val_uar"))
    assert objects.keys("one/checkpoints") == []


def test_parts_whose_sender_was_killed_are_sent_later(run, objects, monkeypatch):
    folder = run.parent / ".features" / "demo"
    for name in ("part-1", "part-2"):
        write(folder, name, name)
    monkeypatch.setattr(store, "source_replica", lambda source: replica_of(folder))
    source = type("Source", (), {"folder": str(folder)})
    store.send_parts(source, ["part-1"])
    store.send_missing(source, ["part-1", "part-2"])
    assert objects.keys(".features") == [".features/demo/part-1", ".features/demo/part-2"]


def test_a_version_is_told_as_every_store_knows_it(objects, monkeypatch):
    asked = []

    def put(*arguments, mode):
        asked.append(mode)
        return {"e_tag": "b", "version": "2"}

    monkeypatch.setattr(obstore, "put", put)
    assert objects.swap("one", b"", ("a", "1")) == ("b", "2")
    assert asked == [{"e_tag": "a", "version": "1"}]


def test_no_bucket_of_that_name_can_be(monkeypatch):
    with pytest.raises(ConfigError, match="no storage"):
        ObjectStore("s3://bad bucket/x")


@pytest.mark.parametrize(
    ("rank", "driver", "storage", "stays"),
    [
        (0, "another", "s3://b", False),
        (1, "another", "s3://b", True),
        (0, socket.gethostname(), "s3://b", True),
        (0, "another", None, True),
    ],
)
def test_a_node_forgets_checkpoints_that_the_store_has(tmp_path, rank, driver, storage, stays):
    write(tmp_path / "0000", "weights", "w")
    session = TrialSession.__new__(TrialSession)  # without a model and data
    session._trial, session._data, session._rank = io.BytesIO(), [], rank
    session._task = replace(
        task(),
        folder=str(tmp_path / "0000"),
        publication=Publication(str(tmp_path), 1, storage, driver),
    )
    session.close()
    assert (tmp_path / "0000").exists() == stays
