"""The ledger's file: lines, their repair, two writers, a full disk."""

import json
import math
import os

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from raysearch import patience
from raysearch.errors import DataError, InfrastructureError
from raysearch.ledger import Ledger, parse_event, read
from raysearch.trial_records import Trials

TRIAL = {"trial": "0123456789ab", "number": 0}


def write_some(path, fence=1):
    ledger = Ledger.open(path, fence)
    ledger.append("started", **TRIAL, attempt=1, slot=0, config={"model.width": 8})
    ledger.append("epoch", **TRIAL, attempt=1, epoch=1, metrics={"val_uar": 0.3}, train_s=2.5)
    ledger.append("epoch", **TRIAL, attempt=1, epoch=2, metrics={"val_uar": 0.2}, train_s=2.5)
    ledger.close()
    return ledger


def test_events_are_read_back_as_written(tmp_path):
    path = tmp_path / "trials.jsonl"
    ledger = write_some(path)
    assert ledger.message is None
    assert read(path) == ledger.events
    assert [event.seq for event in ledger.events] == [1, 2, 3]
    keys = list(json.loads(path.read_text().splitlines()[1]))
    assert keys[:8] == ["event", "seq", "trial", "number", "attempt", "fence", "time", "slot"]
    assert keys[8:] == ["epoch", "metrics", "train_s"]


def test_seq_goes_on_after_reopening(tmp_path):
    path = tmp_path / "trials.jsonl"
    write_some(path)
    ledger = Ledger.open(path, 2)
    event = ledger.append("completed", **TRIAL, attempt=1, sync=True)
    ledger.close()
    assert (event.seq, event.fence) == (4, 2)
    assert len(read(path)) == 4


def is_event(line):
    """Whether the junk happens to complete what the tear has left to another event."""
    try:
        parse_event(line, "here")
    except DataError:
        return False
    return True


@settings(deadline=None)
@given(cut=st.integers(1, 10_000), junk=st.binary(max_size=3))
def test_any_tear_of_the_last_line_is_repaired(tmp_path_factory, cut, junk):
    path = tmp_path_factory.mktemp("ledger") / "trials.jsonl"
    events = write_some(path).events
    content = path.read_bytes()
    last = len(content.splitlines(keepends=True)[-1])
    kept = content[: len(content) - min(cut, last)] + junk.replace(b"\n", b"")
    tail = kept[len(content) - last :]
    assume(tail == content[-last:-1] or not is_event(tail))
    path.write_bytes(kept)
    before = read(path)
    assert before == events[:2]
    ledger = Ledger.open(path, 1)
    whole = tail == content[-last:-1]
    assert ledger.events == (events if whole else events[:2])
    assert (ledger.message is not None) == (bool(tail) and not whole)
    if ledger.message:
        torn = path.with_name("trials.jsonl.torn")
        assert torn.read_bytes() == tail + b"\n"
        assert "torn last line" in ledger.message
    ledger.append("failed", **TRIAL, attempt=1, reason="x")
    ledger.close()
    assert read(path) == ledger.events
    assert [e.seq for e in ledger.events] == list(range(1, len(ledger.events) + 1))


def test_a_last_line_of_zeros_is_moved_aside(tmp_path):
    path = tmp_path / "trials.jsonl"
    write_some(path)
    with path.open("ab") as file:
        file.write(b"\0" * 40 + b"\n")
    ledger = Ledger.open(path, 1)
    ledger.close()
    assert "torn" in ledger.message
    assert len(read(path)) == 3


def test_damage_within_is_refused_with_its_line(tmp_path):
    path = tmp_path / "trials.jsonl"
    write_some(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"event": \n' + lines[2])
    with pytest.raises(DataError, match=r"trials\.jsonl:2: not a line of JSON"):
        Ledger.open(path, 1)
    path.write_bytes(lines[0] + lines[2] + lines[1])
    with pytest.raises(DataError, match=r"trials\.jsonl:3: seq or fence falls"):
        read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": "stopped"}, "unknown event"),
        ({"seq": "1"}, "'seq'"),
        ({"number": True}, "'number'"),
        ({"time": None}, "'time'"),
        ({"metrics": 3}, "needs 'metrics'"),
        ({"epoch": None}, "needs 'epoch'"),
        ({"trial": "../../home"}, "no trial's identity"),
        ({"trial": ".."}, "no trial's identity"),
        *(
            ({"event": "checkpoint", "path": path}, "leads out of the run's folder")
            for path in ("../../home", "/home", "", ".", "checkpoints/../../x", "a//b", "a\0b")
        ),
    ],
)
def test_lines_are_checked(tmp_path, change, message):
    path = tmp_path / "trials.jsonl"
    write_some(path)
    data = {**json.loads(path.read_text().splitlines()[1]), **change}
    with pytest.raises(DataError, match=message):
        parse_event(json.dumps(data).encode(), "here")


def test_an_older_driver_is_refused(tmp_path):
    path = tmp_path / "trials.jsonl"
    write_some(path, fence=3)
    with pytest.raises(InfrastructureError, match="fence 3, ours is only 2"):
        Ledger.open(path, 2)


def test_two_writers_are_noticed(tmp_path):
    path = tmp_path / "trials.jsonl"
    write_some(path)
    old, new = Ledger.open(path, 1), Ledger.open(path, 2)
    new.append("completed", **TRIAL, attempt=1)
    with pytest.raises(InfrastructureError, match="another driver"):
        old.append("epoch", **TRIAL, attempt=1, epoch=3, metrics={})
    old.close()
    new.close()
    assert [e.event for e in read(path)][-1] == "completed"


def test_a_trial_ends_once(tmp_path):
    path = tmp_path / "trials.jsonl"
    write_some(path)
    ledger = Ledger.open(path, 1)
    ledger.append("pruned", **TRIAL, attempt=1)
    for event, data in [("completed", {}), ("failed", {"reason": "x"}), ("resumed", {"epoch": 0})]:
        with pytest.raises(DataError, match="has ended"):
            ledger.append(event, **TRIAL, attempt=1, **data)
    ledger.append("checkpoint", **TRIAL, attempt=1, epoch=2, path="checkpoints/0")
    ledger.close()
    reopened = Ledger.open(path, 2)
    with pytest.raises(DataError, match="has ended"):
        reopened.append("completed", **TRIAL, attempt=1)
    reopened.close()
    Trials.replay(read(path))


def test_values_that_are_not_finite_become_null(tmp_path):
    ledger = Ledger.open(tmp_path / "trials.jsonl", 1)
    ledger.append("started", **TRIAL, attempt=1, config={})
    metrics = {"val_uar": math.nan, "val_loss": math.inf, "val_wa": 0.5}
    event = ledger.append("epoch", **TRIAL, attempt=1, epoch=1, metrics=metrics)
    ledger.close()
    assert event.data["metrics"] == {"val_uar": None, "val_loss": None, "val_wa": 0.5}
    record = Trials.replay(read(ledger.path)).records[0]
    assert (record.last_epoch, record.best_epoch) == (1, None)


def test_two_ends_are_refused_on_replay(tmp_path):
    path = tmp_path / "trials.jsonl"
    write_some(path)
    ledger = Ledger.open(path, 1)
    end = ledger.append("completed", **TRIAL, attempt=1)
    ledger.close()
    again = {**json.loads(end.to_line()), "seq": end.seq + 1}
    with path.open("ab") as file:
        file.write(json.dumps(again).encode() + b"\n")
    with pytest.raises(DataError, match="'completed' after it was completed"):
        Trials.replay(read(path))


def test_a_disk_that_is_full_for_a_moment_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "PAUSE_S", 0.01)
    ledger, write, torn = Ledger.open(tmp_path / "t.jsonl", 1), os.write, []

    def full_twice(file, line):
        if len(torn) < 2:
            torn.append(line)
            return write(file, line[:7])  # as many bytes as there is room for
        return write(file, line)

    monkeypatch.setattr(os, "write", full_twice)
    ledger.append("started", trial="ab", number=0, attempt=1, config={})
    monkeypatch.undo()
    assert len(torn) == 2
    assert [event.event for event in read(tmp_path / "t.jsonl")] == ["started"]


def test_a_disk_that_stays_full_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE_S", 0)
    ledger = Ledger.open(tmp_path / "t.jsonl", 1)
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(InfrastructureError, match="No space left"):
        ledger.append("started", trial="ab", number=0, attempt=1, config={})
