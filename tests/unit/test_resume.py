"""A search cut anywhere and taken up again ends as one that was left alone."""

import shutil

import pytest
from fake_slots import FakeSearch, small_spec

from raysearch.config.stop_rule_table import STOP_RULES
from raysearch.tuning.tolerance import ValidationNoise

every_rule = pytest.mark.parametrize("scheduler", STOP_RULES.built_in)
DISCRETE = ("model.width", "training.optimizer")
CONTINUOUS = ("training.learning_rate", "model.dropout", "training.label_smoothing")
# Two hundred rows of twenty speakers: differences below about 0.04 mean nothing.
NOISE = ValidationNoise(((100, 100),), (20,))


class Snapshots:
    """The run's folder as it is after each line of the ledger."""

    def __init__(self, run, folder):
        self.run, self.folder = run, folder

    def changed(self, trials, event):
        shutil.copytree(self.run, self.folder / f"{event.seq:04d}", symlinks=True)


def fails(config, epoch):
    """Some settings fail, some at once."""
    if config["training"]["optimizer"] == "adamw" and config["model"]["width"] == 8:
        return "NonFiniteLossError: loss is nan"
    return "OSError: disk" if config["model"]["dropout"] > 0.4 and epoch == 2 else None


def check_all_resumptions(tmp_path, spec, **slots):
    """Cut a search after each of its lines; returns it."""
    run, cuts = tmp_path / "run", tmp_path / "cuts"
    whole = FakeSearch(run, spec, observers=[Snapshots(run, cuts)], **slots).run()
    lines = (run / "trials.jsonl").read_bytes().splitlines(keepends=True)
    for seq in range(1, len(lines) + 1):
        cut = cuts / f"{seq:04d}"
        assert (cut / "trials.jsonl").read_bytes() == b"".join(lines[:seq])
        resumed = FakeSearch(cut, spec, fence=2, **slots).run()
        context = f"cut after line {seq}: {lines[seq - 1]!r}"
        assert resumed.outcome() == whole.outcome(), context
        assert all(len(ends) == 1 for ends in resumed.ends().values()), context
        told = [(e.number, e.attempt, e.data["epoch"]) for e in resumed.events("epoch")]
        assert len(told) == len(set(told)), context
        assert len(resumed.checkpoints()) == len(whole.checkpoints()), context
        shutil.rmtree(cut)
    return whole


@every_rule
def test_cut_after_each_line(tmp_path, scheduler):
    spec = small_spec(
        CONTINUOUS,
        search__scheduler=scheduler,
        search__trials=7,
        search__reduction_factor=2,
        search__keep_best=2,
    )
    whole = check_all_resumptions(tmp_path, spec, checkpoint_every=2, fails=fails)
    statuses = {record.status for record in whole.trials.records.values()}
    expected = {"completed", "failed"} | (set() if scheduler == "none" else {"pruned"})
    assert statuses == expected, "choose another seed"


@pytest.mark.parametrize(("budget", "checkpoint_every"), [(None, 1), (1000, 2), (None, 9)])
def test_cut_after_each_line_where_trials_pause(tmp_path, budget, checkpoint_every):
    spec = small_spec(
        CONTINUOUS,
        search__scheduler="promote",
        search__trials=7,
        search__reduction_factor=2,
        search__keep_best=2,
        search__epoch_budget=budget,
    )
    whole = check_all_resumptions(tmp_path, spec, checkpoint_every=checkpoint_every, fails=fails)
    statuses = {record.status for record in whole.trials.records.values()}
    assert statuses == {"completed", "failed"} | (set() if budget else {"pruned"})
    assert any(event.data.get("promoted") for event in whole.events("resumed"))


def test_cut_after_each_line_where_good_values_are_expected(tmp_path):
    spec = small_spec(CONTINUOUS, search__priors=True, search__trials=7, search__reduction_factor=2)
    assert len(spec.space.priors()) == 2
    check_all_resumptions(tmp_path, spec, checkpoint_every=2)


def test_cut_after_each_line_where_trials_pause_with_warm_ups_and_noise(tmp_path):
    fields = ("training.warmup_epochs", "training.learning_rate", "model.dropout")
    spec = small_spec(fields, search__scheduler="promote", search__trials=7, search__seed=6)
    whole = check_all_resumptions(tmp_path, spec, checkpoint_every=2, noise=NOISE)
    assert {record.status for record in whole.trials.records.values()} == {"completed", "pruned"}


def test_cut_after_each_line_with_repetitions_of_paused_trials(tmp_path):
    spec = small_spec(DISCRETE, search__scheduler="promote", search__trials=9, search__seed=3)
    whole = check_all_resumptions(tmp_path, spec, checkpoint_every=3, fails=fails)
    assert any(record.copied_from is not None for record in whole.trials.records.values())


def test_cut_after_each_line_with_warm_ups_and_noise(tmp_path):
    fields = ("training.warmup_epochs", "training.learning_rate", "model.dropout")
    spec = small_spec(fields, search__trials=5, search__reduction_factor=2, search__seed=6)
    whole = check_all_resumptions(tmp_path, spec, checkpoint_every=2, noise=NOISE)
    records = whole.trials.records.values()
    assert len({spec.resolve(r.config).training.used_warmup_epochs for r in records}) > 1
    assert {record.status for record in records} == {"completed", "pruned"}, "choose another seed"


def test_cut_after_each_line_with_repeated_proposals(tmp_path):
    spec = small_spec(DISCRETE, search__trials=8, search__reduction_factor=2, search__seed=3)
    whole = check_all_resumptions(tmp_path, spec, checkpoint_every=3, fails=fails)
    records = whole.trials.records.values()
    assert {record.status for record in records} == {"completed", "pruned", "failed"}
    assert any(record.copied_from is not None for record in records), "choose another seed"


@every_rule
def test_cut_again_and_again(tmp_path, scheduler):
    """Each driver writes three lines and dies."""
    spec = small_spec(
        CONTINUOUS, search__trials=5, search__reduction_factor=2, search__scheduler=scheduler
    )
    whole = FakeSearch(tmp_path / "whole", spec).run()
    run = tmp_path / "run"
    for fence in range(1, 100):
        try:
            last = FakeSearch(run, spec, fence=fence, observers=[DiesAfter(3)])
            last.run()
            break
        except DriverDiedError:
            continue
    assert fence > 3
    assert last.outcome() == whole.outcome()
    assert all(len(ends) == 1 for ends in last.ends().values())


class DriverDiedError(Exception):
    """The driver is no more."""


class DiesAfter:
    def __init__(self, lines):
        self.lines = lines

    def changed(self, trials, event):
        self.lines -= 1
        if self.lines == 0:
            raise DriverDiedError


def test_more_trials_extend_a_finished_search(tmp_path):
    few, many = small_spec(search__trials=3), small_spec(search__trials=6)
    first = FakeSearch(tmp_path / "run", few).run()
    ended = first.ledger.path.read_bytes()
    extended = FakeSearch(tmp_path / "run", many, fence=2).run()
    assert extended.ledger.path.read_bytes().startswith(ended), "a finished trial ran again"
    assert extended.outcome() == FakeSearch(tmp_path / "whole", many).run().outcome()


def test_what_no_trial_needs_is_swept(tmp_path):
    spec = small_spec(search__trials=2, search__scheduler="none")
    run = tmp_path / "run"
    search = FakeSearch(run, spec).run()
    kept = search.checkpoints()
    for orphan in ("0000/epoch-0001-attempt-1", "0001/.epoch-0002-attempt-1.tmp", "0007/x"):
        (run / "checkpoints" / orphan).mkdir(parents=True)
    FakeSearch(run, spec, fence=2)
    assert search.checkpoints() == kept
    assert not (run / "checkpoints" / "0007").exists()


@every_rule
def test_cut_with_several_slots(tmp_path, scheduler):
    """The order of events is then another, but no trial is lost and none runs twice."""
    spec = small_spec(
        CONTINUOUS, search__trials=8, search__reduction_factor=2, search__scheduler=scheduler
    )
    slots = {"num_slots": 3, "checkpoint_every": 2, "fails": fails}
    run, cuts = tmp_path / "run", tmp_path / "cuts"
    whole = FakeSearch(run, spec, observers=[Snapshots(run, cuts)], **slots).run()
    for seq in range(2, len(whole.events()) + 1, 3):
        cut = cuts / f"{seq:04d}"
        before = FakeSearch(cut, spec, fence=2, **slots)
        ended = {n: r.status for n, r in before.trials.records.items() if r.ended}
        resumed = before.run()
        assert ended.items() <= {n: ends[0] for n, ends in resumed.ends().items()}.items()
        assert {n: len(ends) for n, ends in resumed.ends().items()} == dict.fromkeys(range(8), 1)
        told = [(e.number, e.attempt, e.data["epoch"]) for e in resumed.events("epoch")]
        assert len(told) == len(set(told))
        shutil.rmtree(cut)
