"""A tracker is told everything once, whatever it does, and the search never waits for it."""

import sys
import threading
import time

import pytest
from heard_tracker import OBJECTIVE, HeardTracker, delivery, recorded_events

from raysearch.__main__ import main
from raysearch.errors import UserError
from raysearch.ledger import TERMINAL
from raysearch.tracking import tracker_thread
from raysearch.tracking.tracker_table import checked_trackers
from raysearch.tracking.tracker_thread import TrackerThread
from raysearch.trial_records import Trials

EVENTS = recorded_events()
TRIALS = Trials.replay(EVENTS, OBJECTIVE)
EPOCHS = sorted((n, e) for n, record in TRIALS.records.items() for e in record.epochs)
ENDED = {n: record.status for n, record in TRIALS.records.items() if record.status in TERMINAL}


def tracked(make, folder, events=EVENTS, said=None, figures=None):
    """A whole sitting, on the tracker's own thread; what it took the search, in seconds."""
    lines = [] if said is None else said
    thread = TrackerThread("heard", lambda: delivery(make, folder), lines.append)
    begun = time.monotonic()
    for event in events:
        thread.put(event)
    took = time.monotonic() - begun
    thread.close("finished", figures or {})
    return took


def test_every_trial_is_told_once_with_its_best(tmp_path):
    tracker, said = HeardTracker(), []
    tracked(lambda: tracker, tmp_path, said=said, figures={"best_value": 0.5})
    assert sorted(tracker.told()) == EPOCHS
    assert {number: status for number, (status, _) in tracker.ended.items()} == ENDED
    assert len(tracker.begun) == len(TRIALS.records)
    best = TRIALS.ranked()[0]
    _, figures = tracker.ended[best.number]
    assert figures[f"best_{OBJECTIVE}"] == best.best_metric
    assert figures["best_epoch"] == best.best_epoch
    assert dict(tracker.begun[best.number].settings) == best.config
    assert tracker.closed == ("finished", {"best_value": 0.5})
    assert said == []


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_resumed_search_tells_no_epoch_twice(tmp_path, share):
    first, second = HeardTracker(), HeardTracker()
    cut = int(len(EVENTS) * share)
    one = delivery(lambda: first, tmp_path)
    for event in EVENTS[:cut]:
        one.hear(event)
        one.deliver()
    two = delivery(lambda: second, tmp_path, EVENTS[:cut])
    for event in EVENTS[cut - 5 :]:  # what is in the ledger may be told as well
        two.hear(event)
    two.close("finished", {})
    told = first.told() + second.told()
    assert len(told) == len(set(told))
    assert set(told) >= set(EPOCHS)
    assert first.ended.keys() | second.ended.keys() == ENDED.keys()
    assert not first.ended.keys() & second.begun.keys()
    assert first.searches[0].identity == second.searches[0].identity


def test_what_the_tracker_has_counts_more_than_what_was_noted(tmp_path):
    """A driver that is killed may have told more than it noted."""
    number, record = next(pair for pair in TRIALS.records.items() if len(pair[1].epochs) > 2)
    tracker = HeardTracker(known={number: 2})
    delivery(lambda: tracker, tmp_path, EVENTS).deliver()
    told = [epoch for one, epoch in tracker.told() if one == number]
    assert told == [epoch for epoch in sorted(record.epochs) if epoch > 2]


def test_a_damaged_note_costs_no_search(tmp_path):
    (tmp_path / "tracking").mkdir()
    (tmp_path / "tracking" / "heard.json").write_text('{"identity": "x", "epochs": [1]}')
    tracker, said = HeardTracker(), []
    tracked(lambda: tracker, tmp_path, said=said)
    assert sorted(tracker.told()) == EPOCHS
    assert said == []


def test_one_that_fails_is_named_once_and_told_the_rest_later(tmp_path, monkeypatch):
    monkeypatch.setattr(tracker_thread, "RETRY_S", 0)

    class Failing(HeardTracker):
        failures = 3

        def epoch(self, number, epoch, figures):
            if self.failures:
                self.failures -= 1
                raise RuntimeError("401 Unauthorized\nand a long page")
            super().epoch(number, epoch, figures)

    tracker, said = Failing(), []
    thread = TrackerThread("heard", lambda: delivery(lambda: tracker, tmp_path), said.append)
    for event in EVENTS:
        thread.put(event)
        while thread._waiting.qsize():
            time.sleep(0.001)
    thread.close("finished", {})
    (line,) = said
    assert line.startswith("--track heard: 401 Unauthorized; the search goes on")
    assert sorted(tracker.told()) == EPOCHS


def test_one_that_always_fails_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(tracker_thread, "RETRY_S", 0)
    tries, said = [], []

    def make():
        tries.append(1)
        raise ImportError("no such library")

    thread = TrackerThread("heard", lambda: delivery(make, tmp_path), said.append)
    for event in EVENTS * 2:
        thread.put(event)
        time.sleep(0.001)
    thread.close("finished", {})
    thread._thread.join(10)
    assert not thread._thread.is_alive()
    assert len(tries) <= tracker_thread.MOST_FAILURES + 1
    (line,) = said
    assert "no such library" in line


def test_one_that_hangs_holds_nothing_up(tmp_path, monkeypatch):
    monkeypatch.setattr(tracker_thread, "END_S", 0.1)
    released = threading.Event()

    class Hung(HeardTracker):
        def epoch(self, number, epoch, figures):
            released.wait()

    said = []
    begun = time.monotonic()
    took = tracked(Hung, tmp_path, said=said)
    ended = time.monotonic()
    released.set()
    assert took < 1
    assert ended - begun < 5
    assert said == [
        "--track heard: does not answer; the search goes on, --resume tells it the rest"
    ]


def test_one_that_does_not_keep_up_fills_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tracker_thread, "MOST_WAITING", 10)
    released, said = threading.Event(), []

    class Hung(HeardTracker):
        def open(self, search):
            released.wait()

    thread = TrackerThread("heard", lambda: delivery(Hung, tmp_path), said.append)
    for event in EVENTS:
        thread.put(event)
    assert thread._waiting.qsize() == 0, "what waited is let go"
    thread.close("finished", {})
    released.set()
    thread._thread.join(10)
    assert not thread._thread.is_alive()
    assert said == [
        "--track heard: does not keep up; the search goes on, --resume tells it the rest"
    ]


def test_a_slow_one_is_told_everything_while_the_search_goes_on(tmp_path):
    class Slow(HeardTracker):
        def begin(self, trial):
            time.sleep(0.02)
            return super().begin(trial)

    tracker, said = Slow(), []
    took = tracked(lambda: tracker, tmp_path, said=said)
    assert took < 0.02 * len(TRIALS.records)
    assert sorted(tracker.told()) == EPOCHS
    assert said == []


def test_a_library_that_is_missing_is_told_with_the_command_that_brings_it(monkeypatch):
    for name in ("mlflow", "wandb"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError) as raised:
        checked_trackers("mlflow, wandb")
    assert str(raised.value) == (
        "--track mlflow, wandb: mlflow and wandb are not installed: pip install mlflow-skinny wandb"
    )


def test_names_are_checked_before_anything_is_imported():
    with pytest.raises(UserError, match=r"--track mlfow: unknown tracker 'mlfow'.*mlflow"):
        checked_trackers("mlfow")
    with pytest.raises(UserError, match="own:Tracker is named twice"):
        checked_trackers("own:Tracker,own:Tracker")
    assert checked_trackers("own:Tracker") == ["own:Tracker"]


def test_the_command_refuses_what_it_cannot_track(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "trackio", None)
    assert main(["run", "--space", "cnn", "--track", "trackio"]) == 2
    assert "trackio is not installed: pip install trackio" in capsys.readouterr().err
    assert main(["run", "--space", "cnn,lstm", "--track", "own:Tracker"]) == 2
    assert "--track: of one system's search" in capsys.readouterr().err
