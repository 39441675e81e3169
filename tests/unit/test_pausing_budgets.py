"""Trials that pause, under budgets of epochs, time, cores and disk."""

import pytest
from fake_slots import CHECKPOINT_BYTES, FakeSearch, pausing_spec, small_spec
from search_moments import Clock

from raysearch.ledger import Event
from raysearch.tuning.budgets import Budgets


def test_a_budget_that_is_left_promotes_the_best_of_the_rest(tmp_path):
    spec = pausing_spec(search__trials=6, search__epoch_budget=1000)
    search = FakeSearch(tmp_path / "run", spec).run()
    assert search.conductor.stopping is None
    assert {record.status for record in search.trials.records.values()} == {"completed"}
    forced = [e.number for e in search.events("resumed")][-2:]
    worst = sorted(
        search.trials.records, key=lambda n: search.trials.records[n].epochs[1].metrics["val_uar"]
    )
    assert set(forced) & set(worst[:2]), "the best came before the worst"


def test_a_budget_that_is_spent_ends_what_is_paused_and_leaves_what_runs(tmp_path):
    spec = pausing_spec(search__trials=20, search__epoch_budget=11)
    search = FakeSearch(tmp_path / "run", spec, num_slots=2).run()
    assert search.conductor.stopping == "epoch budget"
    assert search.trials.with_status("paused") == []
    pruned = search.trials.with_status("pruned")
    assert {r.reason for r in pruned} == {"not promoted before the search ended"}
    assert len(pruned) > 3
    assert len(search.trials.with_status("running")) <= 2


def test_paused_trials_keep_within_their_disk_and_the_least_promising_end(tmp_path):
    said, most = [], 3
    spec = pausing_spec(
        search__trials=20, search__paused_disk_gib=(most * CHECKPOINT_BYTES + 10) / 2**30
    )
    search = FakeSearch(tmp_path / "run", spec, say=said.append)
    dropped = []

    class Watch:
        def changed(self, trials, event):
            paused = trials.with_status("paused")
            if event.event == "pruned" and "paused_disk_gib" in event.data.get("reason", ""):
                ended = trials.records[event.number].best_value
                dropped.append(event.number)
                assert all(ended <= record.best_value for record in paused)
            assert len(paused) <= most + 1

    search.conductor._chronicle._observers = [Watch()]
    search.run()
    assert dropped
    assert len(said) == 1
    assert "search.paused_disk_gib" in said[0]
    assert search.ends().keys() == set(range(20))


def test_the_best_paused_trial_stays_whatever_its_checkpoint_takes(tmp_path):
    spec = pausing_spec(search__paused_disk_gib=1e-9)
    search = FakeSearch(tmp_path / "run", spec).run()
    assert search.ends().keys() == set(range(9))
    assert search.trials.with_status("completed")


def test_a_paused_trial_costs_no_core_time():
    """It trains for 100 s, pauses, and an hour later another slot prunes it, on no slot."""

    def event(kind, seq, time, slot, **data):
        return Event(kind, seq, "a", 0, 1, 1, time, slot, data)

    events = [
        event("epoch", 1, 100.0, 0, train_s=100.0),
        event("paused", 2, 110.0, 0, epoch=1),
        event("resumed", 3, 3600.0, None, epoch=1, promoted=True),
        event("epoch", 4, 3700.0, 1, train_s=100.0),
        event("pruned", 5, 9000.0, None),
    ]
    search = small_spec(search__core_budget="1000s").search
    assert Budgets(search, 1, lambda: 1, events).left_s() == pytest.approx(1000 - 110 - 100)


def test_a_time_budget_is_used_up_by_promotions(tmp_path, monkeypatch):
    clock, spec = Clock(monkeypatch), pausing_spec(search__trials=6, search__time_budget="100s")

    class Watch:
        def changed(self, trials, event):
            clock.now += 6 * (event.event == "epoch")

    search = FakeSearch(tmp_path / "run", spec, observers=[Watch()]).run()
    assert search.conductor.stopping == "time budget"
    assert search.trials.num_epochs == 17
    assert search.trials.with_status("paused") == []
