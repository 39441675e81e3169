"""What becomes of trials whose slot, storage or actor fails, and of the slots."""

from dataclasses import replace

import pytest
from fake_slots import FakeSearch, small_spec
from search_moments import slot_lost

from raysearch.errors import InfrastructureError
from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.faults import Fault


def test_a_lost_slot_s_trial_goes_on_elsewhere(tmp_path):
    spec = small_spec(search__scheduler="none")
    search = FakeSearch(tmp_path / "run", spec, num_slots=2, checkpoint_every=2)
    search.fill()
    for _ in range(3):
        search.step(1)
    # Its group was started again twice before it was given up.
    number = slot_lost(search, 1, attempt=3)
    assert search.conductor.error is None
    assert search.slots.free() == []
    search.run()
    record = search.trials.records[number]
    assert (record.status, record.attempts, record.slot) == ("completed", 4, 0)
    assert [e.attempt for e in record.epochs.values()] == [1, 1, 4, 4]
    resumed = next(a for a in search.assigned if a.task.attempt == 4)
    assert (resumed.number, resumed.slot) == (number, 0)
    assert resumed.task.resume.endswith("epoch-0002-attempt-1")
    undisturbed = FakeSearch(tmp_path / "whole", spec, num_slots=2).run()
    assert search.outcome()[number] == undisturbed.outcome()[number]


def test_a_vacated_slot_s_trial_takes_its_checkpoint_along(tmp_path):
    spec = small_spec(search__scheduler="none")
    search = FakeSearch(tmp_path / "run", spec, num_slots=2, checkpoint_every=9)
    search.fill()
    for _ in range(3):
        search.step(1)
    worker = search.slots.workers[1]
    number = worker.task.number
    report = EpochReport(number, attempt=1, failed="moved", slot_lost=True, **worker.publish())
    assert search.take(1, report)
    search.run()
    record = search.trials.records[number]
    assert (record.status, record.slot) == ("completed", 0)
    assert [e.attempt for e in record.epochs.values()] == [1, 1, 1, 2], "nothing is trained twice"
    resumed = next(a for a in search.assigned if a.task.attempt == 2)
    assert resumed.task.resume.endswith("epoch-0003-attempt-1")


def test_the_last_slot_lost_ends_the_search(tmp_path):
    spec = small_spec(search__scheduler="none")
    search = FakeSearch(tmp_path / "run", spec, checkpoint_every=2)
    search.fill()
    search.step(0)
    number = slot_lost(search, 0)
    assert isinstance(search.conductor.error, InfrastructureError)
    assert "no slot is left: gone" in str(search.conductor.error)
    assert search.conductor.stopping == "lost infrastructure"
    assert search.conductor.finished
    assert search.conductor.next_trial() is None
    assert number not in search.ends()
    search.ledger.close()
    resumed = FakeSearch(tmp_path / "run", spec, fence=2).run()
    assert resumed.ends()[number] == ["completed"]


def test_reports_that_were_told_before_change_nothing(tmp_path):
    search = FakeSearch(tmp_path / "run", small_spec(search__trials=1))
    search.fill()
    report, _ = search.step(0)
    told = len(search.events())
    assert search.conductor.take(report) is False
    assert len(search.events()) == told
    search.run()
    assert search.conductor.take(report) is True, "the trial has ended"
    assert search.ends() == {0: ["completed"]}


def test_a_new_attempt_replaces_the_epochs_after_its_checkpoint(tmp_path):
    search = FakeSearch(tmp_path / "run", small_spec(search__trials=1), checkpoint_every=2)
    search.fill()
    for _ in range(3):
        search.step(0)
    worker = search.slots.workers[0]
    worker.task = replace(worker.task, attempt=2)
    worker.epoch, worker.values = 2, worker.values[:2]
    search.run()
    kinds = [(e.event, e.attempt, e.data.get("epoch")) for e in search.events("epoch", "resumed")]
    assert kinds[3:] == [("resumed", 2, 2), ("epoch", 2, 3), ("epoch", 2, 4)]
    assert search.trials.records[0].last_epoch == 4


def test_a_trial_whose_actor_tune_gave_up_goes_on_and_fails_the_second_time(tmp_path):
    search = FakeSearch(tmp_path / "run", small_spec(search__trials=2))
    search.fill()
    search.step(0)
    search.conductor.lost(0, "it was killed")
    del search.slots.workers[0]
    assert search.trials.records[0].status == "running"
    search.fill()
    assert search.slots.workers[0].task.number == 0
    search.conductor.lost(0, "killed again")
    del search.slots.workers[0]
    search.run()
    search.conductor.lost(0, "too late")
    record = search.trials.records[0]
    assert record.reason == "its Tune actor died too often: killed again"
    assert (record.attempts, search.ends()[0]) == (2, ["failed"])
    assert search.ends().keys() == {0, 1}
    assert search.slots.lost == set()


def test_a_dead_host_costs_its_slot_and_no_trial(tmp_path):
    spec = small_spec(search__scheduler="none")
    search = FakeSearch(tmp_path / "run", spec, num_slots=2, checkpoint_every=2)
    search.fill()
    number = search.assigned[1].number
    search.slots.dead.add(1)
    search.conductor.lost(number, "killed")
    del search.slots.workers[1]
    search.run()
    assert search.slots.lost == {1}
    assert {ends[-1] for ends in search.ends().values()} == {"completed"}
    assert search.trials.records[number].attempts == 2


def faulty(search, slot, fault, reason="broken"):
    number = search.slots.workers[slot].task.number
    assert search.take(slot, EpochReport(number, attempt=1, failed=reason, fault=fault, done=True))
    return number


def drive(search, sick):
    """As Tune does; every trial on a slot of ``sick`` ends with that fault."""
    while not (search.conductor.finished and search.conductor.idle):
        search.fill()
        for slot in sorted(search.slots.workers):
            if slot in sick:
                faulty(search, slot, sick[slot])
            else:
                search.step(slot)


def test_storage_that_fails_everywhere_fails_no_trial(tmp_path):
    search = FakeSearch(tmp_path / "run", small_spec(search__scheduler="none"), num_slots=2)
    search.fill()
    for slot in (0, 1):
        faulty(search, slot, Fault.STORAGE)
    assert search.slots.rested == [0, 1]
    search.run()
    assert search.trials.with_status("failed") == []
    assert {record.status for record in search.trials.records.values()} == {"completed"}


@pytest.mark.parametrize("fault", [Fault.SLOT, Fault.STORAGE])
def test_a_sick_slot_burns_no_trial(tmp_path, fault):
    spec = small_spec(search__scheduler="none", search__trials=8)
    search = FakeSearch(tmp_path / "run", spec, num_slots=2)
    search.slots.most_rests = 3
    drive(search, {0: fault})
    assert {record.status for record in search.trials.records.values()} == {"completed"}


def test_a_trial_that_loses_two_slots_has_failed(tmp_path):
    search = FakeSearch(tmp_path / "run", small_spec(search__trials=3), num_slots=2)
    search.fill()
    number = faulty(search, 0, Fault.SLOT, "a worker died")
    search.fill()
    assert search.slots.workers[0].task.number != number
    while number not in {worker.task.number for worker in search.slots.workers.values()}:
        search.step(1)
        search.fill()
    assert search.slots.workers[1].task.suspect
    faulty(search, 1, Fault.SLOT, "a worker died")
    assert search.trials.records[number].status == "failed"
    search.run()
    statuses = [record.status for record in search.trials.records.values()]
    assert statuses.count("failed") == 1


def test_a_trial_that_got_further_on_the_other_slot_may_lose_that_one_too(tmp_path):
    search = FakeSearch(tmp_path / "run", small_spec(search__scheduler="none"), num_slots=2)
    search.fill()
    number = faulty(search, 0, Fault.SLOT, "a worker died")
    search.fill()
    while number not in {worker.task.number for worker in search.slots.workers.values()}:
        search.step(1)
        search.fill()
    search.step(1)
    faulty(search, 1, Fault.SLOT, "a worker died")
    search.run()
    assert search.trials.with_status("failed") == []


def test_the_only_slot_tries_a_suspect_once_more_and_lives(tmp_path):
    search = FakeSearch(tmp_path / "run", small_spec(search__trials=2, search__scheduler="none"))
    search.fill()
    first = faulty(search, 0, Fault.SLOT)
    search.fill()
    assert search.slots.workers[0].task.number == first
    faulty(search, 0, Fault.SLOT)
    search.run()
    statuses = [record.status for record in search.trials.records.values()]
    assert statuses == ["failed", "completed"]


def test_a_slot_whose_failures_look_like_the_settings_is_given_up(tmp_path):
    spec = small_spec(search__trials=12, search__scheduler="none")
    search = FakeSearch(tmp_path / "run", spec, num_slots=2)
    drive(search, {0: Fault.SETTINGS})
    assert search.slots.lost == {0}
    statuses = [record.status for record in search.trials.records.values()]
    assert (statuses.count("failed"), statuses.count("completed")) == (6, 6)
