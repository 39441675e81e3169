"""When a search stops, and what it leaves to a resumption: budgets, a signal, a full disk."""

import errno

import pytest
from fake_slots import FakeSearch, small_spec
from search_moments import At, Clock, journal

from raysearch.ledger import Event
from raysearch.tuning.budgets import Budgets


def test_an_epoch_budget_stops_and_leaves_the_rest_to_a_resumption(tmp_path):
    spec = small_spec(search__epoch_budget=5, search__scheduler="none")
    search = FakeSearch(tmp_path / "run", spec, num_slots=2, checkpoint_every=3).run()
    assert search.conductor.stopping == "epoch budget"
    assert 5 <= search.trials.num_epochs <= 6
    live = search.trials.with_status("running")
    assert live
    assert all(record.checkpoint[1] == record.last_epoch for record in live)
    again = FakeSearch(tmp_path / "run", spec, fence=2).run()
    assert again.conductor.stopping == "epoch budget"
    assert again.trials.num_epochs == search.trials.num_epochs
    more = small_spec(search__scheduler="none")
    resumed = FakeSearch(tmp_path / "run", more, fence=3).run()
    whole = FakeSearch(tmp_path / "whole", more).run()
    assert resumed.outcome() == whole.outcome()
    assert resumed.trials.num_epochs == whole.trials.num_epochs


def test_a_time_budget_ends_the_epoch_under_way(tmp_path, monkeypatch):
    spec, clock = (
        small_spec(search__time_budget="50s", search__scheduler="none"),
        Clock(monkeypatch),
    )
    late = At(lambda event: event.event == "epoch", clock.passes(60))
    search = FakeSearch(tmp_path / "run", spec, observers=[late]).run()
    assert search.conductor.stopping == "time budget"
    assert search.trials.num_epochs <= 1
    assert len(search.trials.with_status("running")) == 1


def test_a_core_budget_counts_every_slot_and_every_session(tmp_path, monkeypatch):
    spec, clock = (
        small_spec(search__core_budget="1s", search__scheduler="none"),
        Clock(monkeypatch),
    )
    late = At(lambda event: event.event == "epoch", clock.passes(0.35))
    search = FakeSearch(tmp_path / "run", spec, num_slots=3, observers=[late]).run()
    assert search.conductor.stopping == "core budget"
    assert len(search.trials.with_status("running")) == 3
    again = FakeSearch(tmp_path / "run", spec, num_slots=3, fence=2).run()
    assert again.conductor.stopping == "core budget"
    assert again.trials.num_epochs == search.trials.num_epochs


def test_a_stop_leaves_trials_to_a_resumption(tmp_path):
    spec = small_spec(search__scheduler="none")
    watch = []
    search = FakeSearch(tmp_path / "run", spec, num_slots=2, checkpoint_every=3, observers=watch)
    second = At(
        lambda event: event.event == "epoch" and event.data["epoch"] == 2,
        lambda: search.conductor.stop("signal"),
    )
    watch.append(second)
    search.run()
    assert search.conductor.stopping == "signal"
    live = search.trials.with_status("running")
    assert live
    assert all(r.checkpoint[1] == r.last_epoch for r in live)
    assert search.conductor.idle
    resumed = FakeSearch(tmp_path / "run", spec, fence=2).run()
    assert resumed.ends().keys() == set(range(6))
    for record in live:
        after = resumed.trials.records[record.number]
        assert after.attempts == 2
        assert list(after.epochs)[: record.last_epoch] == list(record.epochs)
        told = journal(resumed).trials[record.number].intermediate_values
        assert sorted(told) == sorted(after.epochs)


def test_an_observer_whose_disk_is_full_ends_no_search(tmp_path):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    observer = At(lambda event: event.event == "epoch", full)
    search = FakeSearch(tmp_path / "run", small_spec(search__trials=2), observers=(observer,))
    search.run()
    assert observer.done
    assert search.ends().keys() == {0, 1}


def test_core_time_counts_each_slot_for_as_long_as_it_was_there():
    """Eight slots, one after the other, each for a hundred seconds: a node was taken each time."""
    events = [
        Event("epoch", seq + 1, "a", 0, 1, 1, 100.0 * seq, seq, {"train_s": 100.0})
        for seq in range(8)
    ]
    search = small_spec(search__core_budget="1000s").search
    assert Budgets(search, 1, lambda: 1, events).left_s() == pytest.approx(200)
