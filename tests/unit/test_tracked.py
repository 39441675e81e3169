"""A search's observer hands a tracker the ledger, and how the search ended."""

import json
import sys
from types import ModuleType

import pytest
from heard_tracker import HeardTracker
from paged_run import recorded_run

from raysearch.errors import InfrastructureError, SearchInterruptedError
from raysearch.ledger import TERMINAL
from raysearch.searching.observers import Underway
from raysearch.searching.results import Run
from raysearch.searching.tracked import Tracking
from raysearch.trial_records import Trials


@pytest.fixture
def run(tmp_path):
    return recorded_run(tmp_path / "a-run")


@pytest.fixture
def heard(monkeypatch):
    """A module of a user's own with a tracker; the trackers that were made, the newest last."""
    made = []

    class Own(HeardTracker):
        def __init__(self):
            super().__init__()
            made.append(self)

    module = ModuleType("own_tracker")
    module.Own = Own
    monkeypatch.setitem(sys.modules, "own_tracker", module)
    return made


def sitting(run, said, events, ended=True):
    observer = Tracking("own_tracker:Own", said.append)
    with observer.watch(Underway(run, run.spec(), None)):
        trials = Trials.replay(run.events()[: -len(events) or None], run.spec().search.objective)
        for event in events:
            trials.apply(event)
            observer.changed(trials, event)
        if ended:
            observer.ended(Run(run.root))


def test_a_search_is_told_with_its_settings_tags_and_figures(run, heard):
    said = []
    summary = {"num_trials": 3, "name": "a-run", "best_value": 0.5, "startup_s": None}
    (run.root / "summary.json").write_text(json.dumps(summary))
    sitting(run, said, [])
    (tracker,) = heard
    (search,) = tracker.searches
    assert (search.name, search.tags["corpus"]) == ("a-run", run.spec().corpus.name)
    assert search.tags["objective"] == run.spec().search.objective
    assert search.settings["model.name"] == run.spec().model.name
    assert not any(key.startswith(("space", "published")) for key in search.settings)
    assert tracker.closed == ("finished", {"num_trials": 3.0, "best_value": 0.5})
    assert said == []


def test_a_search_goes_on_with_what_it_noted(run, heard):
    said, events = [], run.events()
    cut = len(events) // 2
    run.ledger_file.write_bytes(b"".join(one.to_line() for one in events[:cut]))
    sitting(run, said, [])
    run.ledger_file.write_bytes(b"".join(one.to_line() for one in events))
    sitting(run, said, events[cut:])
    first, second = heard
    told = first.told() + second.told()
    assert len(told) == len(set(told))
    records = run.trials().records
    assert set(told) >= {(n, e) for n, record in records.items() for e in record.epochs}
    ended = {n for n, record in records.items() if record.status in TERMINAL}
    assert first.ended.keys() | second.ended.keys() == ended
    assert first.searches[0].identity == second.searches[0].identity


@pytest.mark.parametrize(
    ("error", "outcome"), [(SearchInterruptedError, "interrupted"), (InfrastructureError, "failed")]
)
def test_what_stops_a_search_is_told_and_raised(run, heard, error, outcome):
    observer = Tracking("own_tracker:Own", print)
    with pytest.raises(error), observer.watch(Underway(run, run.spec(), None)):
        raise error("a reason")
    assert heard[0].closed == (outcome, {})


def test_a_tracker_that_cannot_be_made_is_told_and_hurts_nothing(run):
    said = []
    observer = Tracking("no_such_module:Own", said.append)
    with observer.watch(Underway(run, run.spec(), None)):
        observer.ended(Run(run.root))
    (line,) = said
    assert line.startswith("--track no_such_module:Own: ")
    assert "no_such_module" in line
