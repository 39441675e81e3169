"""The study: equal seeds, a journal that Optuna reads, given settings."""

import errno
import os
import time

import optuna
import pytest
from fake_slots import small_spec
from optuna.trial import TrialState

from raysearch import patience
from raysearch.tuning import journal
from raysearch.tuning.study import Study, num_startup_trials

FIELDS = ("training.learning_rate", "model.fuse_attention", "model.attention_ratio")


@pytest.fixture(scope="module")
def space():
    return small_spec(FIELDS).space


def make(path, space, seed=0, num_startup=3):
    return Study(path, "the study", space, seed=seed, num_startup=num_startup)


def load(path):
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    return optuna.load_study(
        study_name="the study", storage=optuna.storages.JournalStorage(backend)
    )


def value(values):
    return -abs(values["training.learning_rate"] - 1e-3)


def play(study, count, first=0):
    """Propose, tell and return ``count`` trials; every third is pruned."""
    proposed = []
    for number in range(first, first + count):
        values = study.propose(number)
        study.report(number, 1, value(values))
        study.finish(number, "pruned" if number % 3 == 2 else "completed", value(values))
        proposed.append(values)
    return proposed


def test_equal_seeds_propose_equal_settings(tmp_path, space):
    first = play(make(tmp_path / "a", space), 9)
    assert play(make(tmp_path / "b", space), 9) == first
    assert play(make(tmp_path / "c", space, seed=1), 9) != first
    assert len({values["training.learning_rate"] for values in first}) == 9


def test_a_rebuilt_study_proposes_what_the_first_would_have(tmp_path, space):
    whole = play(make(tmp_path / "whole", space), 9)
    rebuilt = make(tmp_path / "rebuilt", space)
    for number, values in enumerate(whole[:5]):
        rebuilt.enqueue(number, values)
        rebuilt.report(number, 1, value(values))
        rebuilt.finish(number, "pruned" if number % 3 == 2 else "completed", value(values))
    assert play(rebuilt, 4, first=5) == whole[5:]


def test_what_was_told_matters_after_the_random_trials(tmp_path, space):
    def proposals(path, sign):
        study = make(path, space)
        proposed = []
        for number in range(8):
            proposed.append(study.propose(number))
            study.finish(number, "completed", sign * value(proposed[-1]))
        return proposed

    up, down = proposals(tmp_path / "up", 1), proposals(tmp_path / "down", -1)
    assert up[:3] == down[:3]
    assert up[3:] != down[3:]


def test_the_journal_is_optuna_s(tmp_path, space):
    path = tmp_path / "study.journal"
    study = make(path, space)
    for number, (status, told) in enumerate(
        [("completed", 0.5), ("pruned", 0.3), ("failed", None), ("completed", 0.4)]
    ):
        study.propose(number)
        study.report(number, 1, 0.2)
        study.report(number, 2, told or 0.2)
        study.finish(number, status, told)
    study.propose(4)
    loaded = load(path)
    assert [t.state for t in loaded.trials] == [
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.COMPLETE,
        TrialState.RUNNING,
    ]
    assert [t.value for t in loaded.trials] == [0.5, 0.3, None, 0.4, None]
    assert loaded.trials[1].intermediate_values == {1: 0.2, 2: 0.3}
    assert (loaded.direction.name, loaded.best_trial.number) == ("MAXIMIZE", 0)


def test_settings_that_fail_are_proposed_less_often(tmp_path, space):
    study, refused = make(tmp_path / "study.journal", space), []
    for number in range(60):
        values = study.propose(number)
        refused.append(values["model.fuse_attention"] == "se")
        if refused[-1]:
            study.finish(number, "failed", None)
        else:
            study.report(number, 1, 0.3)
            study.finish(number, "completed", 0.3)
    # By chance a quarter; with trials that Optuna holds for failed nearly all were.
    assert sum(refused[20:]) <= 10


def told(path, space, status):
    """A study of twelve trials: random ones that ended, the better half of them ``status``."""
    study = make(path, space)
    for number in range(12):
        values = study.propose(number) if number < 3 else {"training.learning_rate": 1e-4 * number}
        if number >= 3:
            study.enqueue(number, values)
        study.report(number, 2, value(values))
        if number < 6 or status in ("pruned", "completed"):
            study.finish(number, "pruned" if number < 6 else status, value(values))
        elif status == "paused":
            study.pause(number)
    return study


def test_a_paused_trial_runs_to_optuna_and_was_pruned_to_its_sampler(tmp_path, space):
    proposed = {}
    for status in ("paused", "pruned", "running"):
        proposed[status] = told(tmp_path / status, space, status).propose(12)
    assert proposed["paused"] == proposed["pruned"] != proposed["running"]
    trials = load(tmp_path / "paused").trials
    assert {t.state for t in trials[6:12]} == {TrialState.RUNNING}
    assert all(t.intermediate_values and t.value is None for t in trials[6:12])


def test_a_promoted_trial_tells_what_it_reached_before_and_ends_as_any_other(tmp_path, space):
    study, other = (told(tmp_path / name, space, "paused") for name in ("study", "other"))
    study.report(7, 3, 0.9)
    assert [study.propose(n) for n in range(12, 18)] != [other.propose(n) for n in range(12, 18)]
    study.finish(7, "completed", 0.9)
    assert load(tmp_path / "study").trials[7].value == 0.9


def test_a_trial_that_ran_on_by_right_counts_as_far_as_others_would_have_come(tmp_path, space):
    def study(name, status, epochs):
        made = told(tmp_path / name, space, "paused")
        made.enqueue(12, {"training.learning_rate": 5e-3, "model.fuse_attention": "se"})
        for epoch in range(1, epochs + 1):
            made.report(12, epoch, value({"training.learning_rate": 5e-3}))
        made.finish(12, status, value({"training.learning_rate": 5e-3}))
        return made

    held = [study("held", "completed", 4).propose(n, {12: 2}) for n in (13,)]
    assert held == [study("pruned", "pruned", 2).propose(13)]
    assert held != [study("whole", "completed", 4).propose(13)]


def test_a_proposal_after_six_hundred_trials_takes_little(tmp_path, space):
    study = make(tmp_path / "study", space)
    for number in range(600):
        values = {"training.learning_rate": 1e-5 * (number + 1), "model.fuse_attention": "se"}
        curve = {epoch: epoch / 100 for epoch in range(1, 31)}
        study.add(number, values, "paused" if number % 3 else "completed", curve)
    seconds = []
    for number in range(600, 605):
        begun = time.process_time()
        study.propose(number)
        seconds.append(time.process_time() - begun)
        study.report(number, 1, 0.1)
        study.pause(number)
    assert min(seconds) < 0.05


def test_an_epoch_is_reported_once(tmp_path, space):
    study = make(tmp_path / "study.journal", space)
    study.propose(0)
    for epoch, told in [(1, 0.2), (2, 0.3), (1, 0.9), (2, 0.9), (3, 0.4)]:
        study.report(0, epoch, told)
    assert load(tmp_path / "study.journal").trials[0].intermediate_values == {
        1: 0.2,
        2: 0.3,
        3: 0.4,
    }


def test_given_settings_inform_the_sampler_where_they_lie_in_the_space(tmp_path, space):
    study = make(tmp_path / "study.journal", space)
    study.enqueue(0, {"training.learning_rate": 1e-3, "model.fuse_attention": "none"}, label="ours")
    study.enqueue(1, {"training.learning_rate": 1.0, "model.fuse_attention": "se"})
    study.enqueue(2, {"model.fuse_attention": "se", "model.attention_ratio": 8})
    study.enqueue(3, {"model.fuse_attention": "none", "model.attention_ratio": 8})
    trials = load(tmp_path / "study.journal").trials
    assert [t.params for t in trials] == [
        {"training.learning_rate": 1e-3, "model.fuse_attention": "none"},
        {"model.fuse_attention": "se"},
        {"model.fuse_attention": "se", "model.attention_ratio": 8},
        {"model.fuse_attention": "none"},
    ]
    assert trials[0].user_attrs == {"label": "ours"}
    assert set(study.propose(4)) >= {"training.learning_rate", "model.fuse_attention"}


def test_numbers_are_the_ledger_s(tmp_path, space):
    study = make(tmp_path / "study.journal", space)
    study.propose(0)
    with pytest.raises(AssertionError, match="the study is at trial 1, not 5"):
        study.propose(5)


def test_what_an_earlier_driver_left_is_replaced(tmp_path, space):
    path = tmp_path / "study.journal"
    play(make(path, space), 2)
    path.write_bytes(path.read_bytes() + b'{"torn')
    lock = path.with_name("study.journal.lock")
    lock.symlink_to(path)  # it was killed while it wrote
    play(make(path, space), 1)
    assert not lock.is_symlink()
    assert len(load(path).trials) == 1


@pytest.mark.parametrize(("trials", "startup"), [(1, 4), (16, 4), (20, 5), (400, 10)])
def test_random_trials_before_the_sampler_models(trials, startup):
    assert num_startup_trials(trials) == startup


def test_a_trial_is_taken_whole_as_it_would_have_been_step_by_step(tmp_path, space):
    told = {"training.learning_rate": 1e-3, "model.fuse_attention": "se"}
    stepwise, whole = make(tmp_path / "stepwise", space), make(tmp_path / "whole", space)
    for number, status in enumerate(("completed", "pruned", "failed", "failed", "paused")):
        curve = {1: 0.2, 2: 0.3} if number != 3 else {}
        stepwise.enqueue(number, told, label="ours")
        for epoch, reached in curve.items():
            stepwise.report(number, epoch, reached)
        if status == "paused":
            stepwise.pause(number)
        else:
            stepwise.finish(number, status, curve.get(2))
        whole.add(number, told, status, curve, label="ours")
    assert kept(tmp_path / "whole") == kept(tmp_path / "stepwise")
    assert whole.propose(5) == stepwise.propose(5)


def kept(path):
    return [
        (t.number, t.state, t.value, t.params, t.distributions, t.intermediate_values, t.user_attrs)
        for t in load(path).trials
    ]


def test_a_full_disk_is_waited_for_and_leaves_no_torn_line(tmp_path, space, monkeypatch):
    study, full = make(tmp_path / "study.journal", space), [True, True]

    class Half:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, data):
            if not full:
                return self.file.write(data)
            full.pop()
            self.file.write(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(path, mode):
        return Half(open(path, mode))

    monkeypatch.setattr(journal, "open", opened, raising=False)
    monkeypatch.setattr(patience, "PAUSE_S", 0.0)
    study.add(0, {}, "pruned", {1: 0.1})
    assert not full
    assert [t.intermediate_values for t in load(tmp_path / "study.journal").trials] == [{1: 0.1}]


def test_a_hundred_ended_trials_are_taken_without_a_wait_for_the_disk(tmp_path, space, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    study = make(tmp_path / "study.journal", space)
    for number in range(100):
        study.add(number, {}, "pruned", dict.fromkeys(range(1, 21), 0.1))
    assert not synced
    lines = (tmp_path / "study.journal").read_bytes().count(b"\n")
    assert lines == 1 + 100, "one for the study, and one for each trial whatever its epochs"
