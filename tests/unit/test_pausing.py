"""Trials that pause and are promoted, on slots that train nothing."""

from dataclasses import replace

import pytest
from fake_slots import CHECKPOINT_BYTES, FakeSearch, pausing_spec
from search_moments import At, journal, slot_lost

from raysearch.tuning.tolerance import ValidationNoise
from raysearch.workers.epoch_report import EpochReport


def story(search, number):
    return [e.event for e in search.events() if e.number == number]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A search on one slot; its trial of the sections' own settings runs to its end."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    search = FakeSearch(folder, pausing_spec(search__defaults_first=True), checkpoint_every=9).run()
    statuses = {record.status for record in search.trials.records.values()}
    assert statuses == {"completed", "pruned"}, "choose another seed"
    return search


def test_a_trial_that_pauses_has_its_weights_written_and_leaves_its_slot(finished):
    paused = finished.events("paused")
    assert paused
    for event in paused:
        told = [e for e in finished.events() if e.number == event.number and e.seq <= event.seq]
        assert [e.event for e in told[-3:]] == ["epoch", "checkpoint", "paused"]
        assert event.data["epoch"] == told[-3].data["epoch"] == told[-2].data["epoch"]
        assert told[-2].data["bytes"] == CHECKPOINT_BYTES
        assert event.slot == 0
    assert finished.slots.free() == [0]


def test_a_promoted_trial_goes_on_from_there_and_trains_nothing_twice(finished):
    promoted = [e for e in finished.events("resumed") if e.data.get("promoted")]
    assert promoted
    for event in promoted:
        before = next(
            e
            for e in reversed(finished.events("paused"))
            if (e.number, e.seq < event.seq) == (event.number, True)
        )
        assert (event.attempt, event.data["epoch"]) == (before.attempt + 1, before.data["epoch"])
        assigned = next(
            a
            for a in finished.assigned
            if (a.number, a.task.attempt) == (event.number, event.attempt)
        )
        epoch = before.data["epoch"]
        assert assigned.task.resume.endswith(f"epoch-{epoch:04d}-attempt-{before.attempt}")
    told = [(e.number, e.data["epoch"]) for e in finished.events("epoch")]
    assert len(told) == len(set(told))
    assert finished.trials.num_epochs == len(told)


def test_a_trial_that_is_at_once_promotable_goes_on_without_a_switch(finished):
    completed = [r for r in finished.trials.with_status("completed") if not r.never_pruned]
    assert completed
    assert any(record.pauses < 2 for record in completed), "choose another seed"
    for record in completed:
        assert story(finished, record.number).count("paused") == record.pauses


def test_the_sections_own_settings_never_pause(finished):
    own = finished.trials.records[0]
    assert own.never_pruned
    assert (own.status, own.pauses, own.last_epoch) == ("completed", 0, 4)


def test_who_was_not_promoted_is_pruned_when_the_search_ends(finished):
    assert finished.conductor.finished
    assert finished.ends().keys() == set(range(9))
    assert all(len(ends) == 1 for ends in finished.ends().values())
    pruned = finished.trials.with_status("pruned")
    assert {r.reason for r in pruned} == {"not promoted before the search ended"}
    states = {"completed": "COMPLETE", "pruned": "PRUNED"}
    for trial in journal(finished).trials:
        record = finished.trials.records[trial.number]
        assert trial.state.name == states[record.status]
        assert sorted(trial.intermediate_values) == sorted(record.epochs)
        assert trial.value == record.best_value


def test_the_best_value_ranks_first_however_far_it_came(finished):
    values = [record.best_value for record in finished.trials.ranked()]
    assert values == sorted(values, reverse=True)
    best = [r.checkpoint[0] for r in finished.trials.ranked()]
    own, keep = finished.trials.records[0].checkpoint[0], finished.spec.search.keep_best
    assert finished.checkpoints() == sorted({*best[:keep], own})


def test_a_paused_trial_runs_to_the_dashboard_and_keeps_its_checkpoint(tmp_path):
    spec = pausing_spec(search__keep_best=1)
    search = FakeSearch(tmp_path / "run", spec, num_slots=2)
    search.fill()
    most = 0
    while search.slots.workers:
        for slot in sorted(search.slots.workers):
            search.step(slot)
        paused = search.trials.with_status("paused")
        assert {r.checkpoint[0] for r in paused} <= set(search.checkpoints())
        assert all(r.checkpoint[1] == r.last_epoch for r in paused)
        states = {t.number: t.state.name for t in journal(search).trials}
        assert {states[r.number] for r in paused} <= {"RUNNING"}
        most = max(most, len(paused))
        search.fill()
    assert most > 3
    assert len(search.checkpoints()) == 1


def test_equal_seeds_give_equal_searches(finished, tmp_path):
    again = FakeSearch(tmp_path / "run", finished.spec, checkpoint_every=9).run()

    def told(search):
        return [(e.event, e.number, e.attempt, e.data.get("epoch")) for e in search.events()]

    assert told(again) == told(finished)


@pytest.mark.parametrize("num_slots", [2, 3, 8])
def test_with_several_slots_every_trial_ends_once(tmp_path, num_slots):
    spec = pausing_spec(search__trials=20)
    search = FakeSearch(tmp_path / "run", spec, num_slots=num_slots, checkpoint_every=2).run()
    assert search.conductor.finished
    assert search.conductor.idle
    assert {n: len(ends) for n, ends in search.ends().items()} == dict.fromkeys(range(20), 1)
    assert search.trials.with_status("completed")
    assert len(search.slots.free()) == num_slots


def test_noise_promotes_more(tmp_path):
    spec = pausing_spec(search__trials=12, search__noise=1)
    noise = ValidationNoise(((20, 20),), (4,))
    exact, noisy = (
        FakeSearch(tmp_path / name, spec, noise=found).run()
        for name, found in (("exact", None), ("noisy", noise))
    )
    assert len(noisy.trials.with_status("completed")) > len(exact.trials.with_status("completed"))


def test_without_a_budget_the_search_ends_when_nobody_is_promotable(finished):
    assert finished.conductor.stopping is None
    assert len(finished.trials.with_status("completed")) < 9


def test_a_signal_leaves_what_is_paused_to_a_resumption(tmp_path):
    spec, watch = pausing_spec(), []
    search = FakeSearch(tmp_path / "run", spec, observers=watch)
    stop = At(
        lambda event: event.event == "paused" and event.number == 4,
        lambda: search.conductor.stop("signal"),
    )
    watch.append(stop)
    search.run()
    assert search.conductor.stopping == "signal"
    assert len(search.trials.with_status("paused")) > 2
    assert {t.state.name for t in journal(search).trials} == {"RUNNING"}
    resumed = FakeSearch(tmp_path / "run", spec, fence=2).run()
    whole = FakeSearch(tmp_path / "whole", spec).run()
    assert resumed.outcome() == whole.outcome()
    assert resumed.trials.num_epochs == whole.trials.num_epochs


def test_a_slot_that_is_lost_while_a_trial_pauses_costs_no_trial(tmp_path):
    """Its weights are lost with it: once promoted it goes on from its last checkpoint, or anew."""
    search = FakeSearch(tmp_path / "run", pausing_spec(), num_slots=2, checkpoint_every=9)
    search.fill()
    report = search.slots.workers[0].step()
    assert search.conductor.take(report) is False
    assert search.conductor.take(
        EpochReport(report.number, attempt=1, failed="gone", done=True, slot_lost=True)
    )
    del search.slots.workers[0]
    record = search.trials.records[report.number]
    assert (record.status, record.checkpoint) == ("paused", None)
    assert search.slots.lost == {0}
    search.run()
    assert search.conductor.error is None
    assert search.ends().keys() == set(range(9))


def test_a_promoted_trial_that_is_lost_goes_on_first(tmp_path):
    search = FakeSearch(tmp_path / "run", pausing_spec(), num_slots=2)
    search.fill()
    while not [a for a in search.assigned if a.task.attempt == 2]:
        for slot in sorted(search.slots.workers):
            search.step(slot)
        search.fill()
    promoted = search.assigned[-1]
    assert slot_lost(search, promoted.slot, attempt=2) == promoted.number
    while search.slots.workers and search.assigned[-1] is promoted:
        for slot in sorted(search.slots.workers):
            search.step(slot)
        search.fill()
    again = search.assigned[-1]
    assert (again.number, again.task.attempt) == (promoted.number, 3)
    assert again.task.resume == promoted.task.resume
    assert search.run().ends().keys() == set(range(9))


def test_a_promoted_trial_whose_checkpoint_cannot_be_read_begins_again(tmp_path):
    search = FakeSearch(tmp_path / "run", pausing_spec())
    search.fill()
    while not (promoted := [a for a in search.assigned if a.task.attempt == 2]):
        search.step(0)
        search.fill()
    number, worker = promoted[0].number, search.slots.workers[0]
    # What a worker group does then: it says so by another attempt, from its first epoch on.
    worker.task = replace(worker.task, attempt=3)
    worker.epoch, worker.values = 0, []
    search.run()
    record = search.trials.records[number]
    told = [(e.attempt, e.data["epoch"]) for e in search.events("resumed") if e.number == number]
    assert told[:2] == [(2, 1), (3, 0)]
    assert sorted(record.epochs) == list(range(1, record.last_epoch + 1))
    assert record.last_epoch > 1
    assert search.ends().keys() == set(range(9))


def test_bad_settings_of_the_sections_do_not_lead_the_sampler(tmp_path):
    def curve(config, epoch):
        own = config["model"]["dropout"] == spec.base.model.dropout
        return (0.01 if own else 0.5) + 0.01 * epoch

    spec = pausing_spec(search__defaults_first=True, search__trials=4)
    search = FakeSearch(tmp_path / "run", spec, curve=curve).run()
    assert search.conductor._judge.held(search.trials) == {0: 1}
    good = FakeSearch(tmp_path / "good", spec, curve=lambda c, e: -curve(c, e)).run()
    # One in three of four, and alone in the next rung.
    assert good.conductor._judge.held(good.trials) == {0: 2}


def test_a_trial_that_ended_before_it_heard_of_its_pause_is_complete(tmp_path):
    spec = pausing_spec(search__trials=1, training__epochs=2)
    search = FakeSearch(tmp_path / "run", spec)
    search.fill()
    assert search.conductor.take(search.slots.workers[0].step()) is False
    worker = search.slots.workers.pop(0)
    worker.let_go = False  # its host was slow to hear
    assert search.conductor.take(worker.step()) is True
    assert (search.trials.records[0].status, search.trials.records[0].pauses) == ("completed", 0)


def test_a_repetition_of_a_paused_trial_ends_as_that_one_stands(tmp_path):
    spec = pausing_spec(("model.width",), search__trials=9)
    search = FakeSearch(tmp_path / "run", spec).run()
    copies = [r for r in search.trials.records.values() if r.copied_from is not None]
    assert copies, "choose another seed"
    ran = {a.number for a in search.assigned}
    assert ran == set(search.trials.records) - {r.number for r in copies}
    assert search.ends().keys() == set(range(9))
