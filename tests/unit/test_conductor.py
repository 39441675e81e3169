"""The conductor on slots that train nothing: proposals, stops, copies, refusals."""

import pytest
from fake_slots import FakeSearch, small_spec
from search_moments import journal

from raysearch.config.stop_rule_table import STOP_RULES
from raysearch.ledger import read
from raysearch.spec import published_values

DISCRETE = ("model.width",)


def high_dropout_fails(config, epoch):
    return "NonFiniteLossError: loss is nan" if epoch == 2 and high(config) else None


def high(config):
    return config["model"]["dropout"] > 0.25


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


@pytest.mark.parametrize("scheduler", STOP_RULES.built_in)
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
