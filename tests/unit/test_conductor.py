"""The conductor on slots that train nothing: proposals, stops, failures, budgets."""

import errno
import time
from dataclasses import replace

import optuna
import pytest
from fake_slots import FakeSearch, small_spec

from raysearch.errors import InfrastructureError
from raysearch.ledger import Event, read
from raysearch.spec import published_values
from raysearch.tuning.budgets import Budgets
from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.faults import Fault

DISCRETE = ("model.width",)


class At:
    """An observer that acts at the first event that fits."""

    def __init__(self, fits, act):
        self.fits, self.act, self.done = fits, act, False

    def changed(self, trials, event):
        if not self.done and self.fits(event):
            self.done = True
            self.act()


def high_dropout_fails(config, epoch):
    return "NonFiniteLossError: loss is nan" if epoch == 2 and high(config) else None


def high(config):
    return config["model"]["dropout"] > 0.25


def journal(search):
    backend = optuna.storages.journal.JournalFileBackend(str(search.folder / "study.journal"))
    return optuna.load_study(study_name="run", storage=optuna.storages.JournalStorage(backend))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole search on one slot in which trials are completed, pruned and failed."""
    spec = small_spec(search__trials=10, search__reduction_factor=2)
    folder = tmp_path_factory.mktemp("finished") / "run"
    search = FakeSearch(folder, spec, checkpoint_every=2, fails=high_dropout_fails).run()
    statuses = {record.status for record in search.trials.records.values()}
    assert statuses == {"completed", "pruned", "failed"}, "choose another seed"
    return search


def test_every_trial_ends_once_and_failed_ones_count(finished):
    trials = finished.trials
    assert finished.ends() == {n: [trials.records[n].status] for n in range(10)}
    assert finished.conductor.finished
    assert finished.conductor.idle
    assert finished.conductor.stopping is None
    for record in trials.with_status("failed"):
        assert record.reason == "NonFiniteLossError: loss is nan"
        assert record.last_epoch == 1


def test_the_published_settings_come_first(finished):
    first = finished.trials.records[0]
    assert first.config == published_values(finished.spec)
    assert first.details["published"]
    assert not any(r.details["published"] for n, r in finished.trials.records.items() if n)


def test_a_pruned_trial_s_weights_are_written_before_its_end(finished):
    pruned = finished.trials.with_status("pruned")
    assert any(record.last_epoch % 2 for record in pruned), "no stop between two checkpoints"
    for record in pruned:
        told = [e for e in finished.events() if e.number == record.number]
        assert [e.event for e in told[-3:]] == ["epoch", "checkpoint", "pruned"]
        assert told[-2].data["epoch"] == record.last_epoch
        assert record.reason == "stopped by asha"


def test_tasks_hold_what_a_worker_needs(finished):
    for assignment in finished.assigned:
        task, record = assignment.task, finished.trials.records[assignment.number]
        assert task.trial == record.trial
        assert task.seed == record.details["seed"]
        assert task.config == finished.spec.resolve(record.config).to_dict()
        assert task.folder == str(finished.folder / "checkpoints" / f"{assignment.number:04d}")
        assert (task.resume, task.attempt, task.publication.fence) == (None, 1, 1)
        assert task.label.startswith(f"trial {assignment.number:04d} emohrnet lr=")
    assert len({a.task.seed for a in finished.assigned}) == 10


def test_the_study_holds_what_the_ledger_holds(finished):
    study = journal(finished)
    states = {"completed": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    for trial in study.trials:
        record = finished.trials.records[trial.number]
        assert trial.state.name == states[record.status]
        assert sorted(trial.intermediate_values) == sorted(record.epochs)
        if record.status != "failed":
            assert trial.value == record.best_value
    assert study.best_value == max(r.best_value for r in finished.trials.with_status("completed"))


def test_only_the_checkpoints_of_the_best_stay(finished):
    best = [r.checkpoint[0] for r in finished.trials.ranked() if r.checkpoint]
    measured = [r.checkpoint[0] for r in finished.trials.records.values() if r.never_pruned]
    keep = finished.spec.search.keep_best
    assert len(best) > keep
    assert finished.checkpoints() == sorted({*best[:keep], *measured})


def test_the_last_checkpoint_of_each_live_trial_stays(tmp_path):
    spec = small_spec(
        search__scheduler="none",
        search__keep_best=1,
        search__trials=5,
        search__published_first=False,
        search__defaults_first=False,
    )
    search = FakeSearch(tmp_path / "run", spec, num_slots=2)
    most = 0
    search.fill()
    while search.slots.workers:
        for slot in sorted(search.slots.workers):
            search.step(slot)
            live = [r for r in search.trials.with_status("running") if r.checkpoint]
            ended = [r for r in search.trials.ranked() if r.status != "running"][:1]
            assert search.checkpoints() == sorted(r.checkpoint[0] for r in [*live, *ended])
            most = max(most, len(live))
        search.fill()
    assert most == 2
    assert search.checkpoints() == [search.trials.ranked()[0].checkpoint[0]]


def test_a_published_trial_is_never_stopped(tmp_path):
    def curve(config, epoch):
        published = config["training"]["learning_rate"] == 1e-3
        return 0.01 * epoch if published else 0.5 + config["model"]["dropout"] + 0.01 * epoch

    spec = small_spec(search__trials=8, search__reduction_factor=2)
    search = FakeSearch(tmp_path / "run", spec, num_slots=3, curve=curve)
    search.fill()
    for slot in (1, 2, 0):
        search.step(slot)  # two better ones come before it at the first rung
    search.run()
    first = search.trials.records[0]
    assert first.best_value == min(r.best_value for r in search.trials.records.values())
    assert (first.status, first.last_epoch) == ("completed", 4)
    assert search.trials.with_status("pruned")


def test_the_sections_own_settings_come_after_the_published_ones(tmp_path):
    spec = small_spec(search__trials=3, search__defaults_first=True, model__dropout=0.1)
    records = FakeSearch(tmp_path / "run", spec).run().trials.records
    assert [bool(record.details["published"]) for record in records.values()] == [1, 0, 0]
    fields = spec.base.fields()
    assert records[1].config == {name: fields[name] for name in spec.space.fields}
    assert spec.resolve(records[1].config) == spec.base


def test_the_sections_own_settings_are_never_stopped(tmp_path):
    def curve(config, epoch):
        return 0.01 * epoch if config["model"]["dropout"] == 0 else 0.5 + 0.01 * epoch

    spec = small_spec(search__trials=6, search__defaults_first=True, search__published_first=False)
    search = FakeSearch(tmp_path / "run", spec, num_slots=3, curve=curve)
    search.fill()
    for slot in (1, 2, 0):
        search.step(slot)  # two better ones come before it at the first rung
    records = search.run().trials.records
    assert (records[0].status, records[0].last_epoch) == ("completed", 4)
    assert min(records.values(), key=lambda record: record.best_value) is records[0]


def test_the_sections_own_settings_are_not_run_twice(tmp_path):
    plain = small_spec(("training.learning_rate",))
    published = [
        item for item in published_values(plain).items() if item[0] not in plain.space.fields
    ]
    settings = {key.replace(".", "__"): value for key, value in published}
    searched = ("training.learning_rate",)
    spec = small_spec(searched, search__trials=2, search__defaults_first=True, **settings)
    records = FakeSearch(tmp_path / "run", spec).run().trials.records
    assert spec.resolve(records[0].config) == spec.base
    assert spec.resolve(records[1].config) != spec.base


def test_without_the_published_settings_the_first_trial_is_sampled(tmp_path):
    spec = small_spec(search__trials=1, search__published_first=False)
    first = FakeSearch(tmp_path / "run", spec).run().trials.records[0]
    assert not first.details["published"]
    assert set(first.config) == {"training.learning_rate", "model.dropout"}


def test_a_repeated_proposal_copies_the_outcome(tmp_path):
    spec = small_spec(DISCRETE, search__trials=9, search__reduction_factor=2)
    search = FakeSearch(tmp_path / "run", spec).run()
    records = search.trials.records
    copies = [r for r in records.values() if r.copied_from is not None]
    ran = {a.number for a in search.assigned}
    assert ran == set(records) - {r.number for r in copies}
    assert len({records[n].trial for n in ran}) == len(ran) == 4, "three widths and the published"
    for copy in copies:
        source = records[copy.copied_from]
        assert source.number < copy.number
        assert source.copied_from is None
        assert (copy.trial, copy.status) == (source.trial, source.status)
        assert (copy.best_value, copy.epochs) == (source.best_value, source.epochs)
        assert copy.details["seed"] == source.details["seed"]
    assert search.trials.num_epochs == sum(records[n].last_epoch for n in ran)
    assert search.ends() == {n: [r.status] for n, r in records.items()}


def test_settings_that_failed_are_not_copied(tmp_path):
    def fails(config, epoch):
        return "broken" if config["model"]["width"] == 8 else None

    spec = small_spec(DISCRETE, search__trials=9)
    search = FakeSearch(tmp_path / "run", spec, fails=fails).run()
    failed = search.trials.with_status("failed")
    assert len(failed) > 1, "choose another seed"
    assert all(record.copied_from is None for record in failed)


def refusing_spec(**settings):
    """Eight masks come with cbam, wide ones too; both together are refused."""
    return small_spec(
        ("model.fuse_attention",),
        spec_augment__time_mask_width=0.04,
        space__spec_augment__time_mask_count={
            "choice": [8],
            "when": {"model.fuse_attention": ["se", "cbam"]},
        },
        space__spec_augment__time_mask_width={
            "choice": [0.2],
            "when": {"model.fuse_attention": ["coordinate", "cbam"]},
        },
        **settings,
    )


def test_refused_settings_are_a_failed_trial(tmp_path):
    search = FakeSearch(tmp_path / "run", refusing_spec(search__trials=12)).run()
    failed = search.trials.with_status("failed")
    assert {r.config["model.fuse_attention"] for r in failed} == {"cbam"}
    assert all("time_mask_width x time_mask_count" in r.reason for r in failed)
    assert len(search.trials.records) == 12
    assert not {r.number for r in failed} & {a.number for a in search.assigned}


def test_refused_settings_are_refused_again_when_a_search_is_taken_up(tmp_path):
    spec = refusing_spec(search__trials=12)
    whole = FakeSearch(tmp_path / "run", spec).run()
    first = whole.trials.with_status("failed")[0].number
    ledger = tmp_path / "run" / "trials.jsonl"
    started = next(e.seq for e in read(ledger) if e.number == first)
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:started]))
    resumed = FakeSearch(tmp_path / "run", spec, fence=2).run()
    assert resumed.outcome() == whole.outcome()


@pytest.mark.parametrize("scheduler", ["asha", "median", "none"])
@pytest.mark.parametrize("num_slots", [1, 3])
def test_schedulers_and_slots(tmp_path, scheduler, num_slots):
    spec = small_spec(search__scheduler=scheduler, search__trials=9)
    search = FakeSearch(tmp_path / "run", spec, num_slots=num_slots).run()
    assert all(len(ends) == 1 for ends in search.ends().values())
    assert len(search.ends()) == 9
    completed = search.trials.with_status("completed")
    assert all(record.last_epoch == 4 for record in completed)
    assert (len(completed) == 9) == (scheduler == "none")


def test_a_loss_is_made_small(tmp_path):
    spec = small_spec(search__objective="val_loss", search__scheduler="none", search__trials=4)
    search = FakeSearch(tmp_path / "run", spec).run()
    best = search.trials.ranked()[0]
    assert best.best_metric == min(
        entry.metrics["val_loss"]
        for record in search.trials.records.values()
        for entry in record.epochs.values()
    )
    assert journal(search).best_trial.number == best.number


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


class Clock:
    """Time that passes when it is told to: a busy machine takes none of a budget."""

    def __init__(self, monkeypatch):
        self.now = 1e9
        for name in ("time", "monotonic"):
            monkeypatch.setattr(time, name, lambda: self.now)

    def passes(self, seconds):
        def act():
            self.now += seconds

        return act


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


def slot_lost(search, slot, attempt=1):
    number = search.slots.workers[slot].task.number
    report = EpochReport(number, attempt=attempt, failed="gone", done=True, slot_lost=True)
    assert search.take(slot, report)
    return number


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


@pytest.fixture
def pruning(tmp_path):
    """A search of two slots whose trial on slot 0 has just been let go, and its number."""
    spec = small_spec(search__scheduler="none", search__trials=2)
    search = FakeSearch(tmp_path / "run", spec, num_slots=2, checkpoint_every=9)
    search.fill()
    number = search.slots.workers[0].task.number
    search.conductor._judge.end = lambda record, epoch, done: done or record.number == number
    assert search.conductor.take(search.slots.workers[0].step()) is False
    return search, number


@pytest.mark.parametrize("dead", [False, True])
def test_a_pruned_trial_whose_weights_are_lost_is_not_trained_again(pruning, dead):
    search, number = pruning
    if dead:
        search.slots.dead.add(0)
    search.conductor.lost(number, "killed")
    del search.slots.workers[0]
    record = search.trials.records[number]
    assert (record.status, record.attempts, record.checkpoint) == ("pruned", 1, None)
    assert search.slots.lost == ({0} if dead else set())
    search.run()
    assert search.conductor.error is None
    assert search.ends().keys() == {0, 1}
    assert search.events("resumed") == []


def test_nobody_waits_for_the_weights_of_a_trial_that_ends(pruning):
    search, number = pruning
    assert number not in search.ends()
    assert not search.conductor.idle
    search.step(1)
    assert search.trials.records[1 - number].last_epoch == 1
    last = search.slots.workers.pop(0).step()
    assert search.conductor.take(last) is True
    told = [event.event for event in search.events() if event.number == number]
    assert told[-3:] == ["epoch", "checkpoint", "pruned"]
    assert search.slots.free() == [0]


def test_a_trial_that_had_begun_its_last_epoch_ends_with_that(pruning):
    search, number = pruning
    worker = search.slots.workers.pop(0)
    worker.let_go = False  # its host was slow to hear
    while not (report := worker.step()).done:
        assert search.conductor.take(report) is False
    assert search.conductor.take(report) is True
    record = search.trials.records[number]
    assert record.status == "pruned"
    assert sorted(record.epochs) == [1, 2, 3, 4], "what was trained is written down"
    assert record.checkpoint == (record.checkpoint[0], 4)
    assert search.slots.free() == [0]


def test_the_last_slot_may_go_with_the_last_word_of_a_search(tmp_path):
    spec = small_spec(search__scheduler="none", search__trials=1)
    search = FakeSearch(tmp_path / "run", spec, checkpoint_every=9)
    search.fill()
    search.conductor._judge.end = lambda record, epoch, done: True
    assert search.conductor.take(search.slots.workers[0].step()) is False
    search.slots.dead.add(0)
    search.conductor.lost(0, "killed")
    assert search.slots.lost == {0}
    assert (search.trials.records[0].status, search.conductor.error) == ("pruned", None)
    assert search.conductor.finished
    assert search.conductor.stopping is None
