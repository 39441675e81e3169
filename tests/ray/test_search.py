"""Searches on real worker groups: what they leave, and what they survive."""

import json
import os
import signal
import threading
import time
import urllib.request
from contextlib import ExitStack

import optuna
import psutil
import pytest
import ray
from tiny_search import Hook, check_promoted, ends, losses, search, small_spec

from raysearch.ledger import read
from raysearch.page.live_page import TOKEN, served
from raysearch.page.steered_run import page_of
from raysearch.reporting.leaderboard import leaderboard_rows
from raysearch.reporting.summary import summarize
from raysearch.run_folder import RunFolder
from raysearch.tuning.tolerance import ValidationNoise

pytestmark = pytest.mark.ray


# Stops trials as soon as two of them can be compared.
HASTY = {"search__grace_epochs": 1, "search__noise": 0, "training__warmup_epochs": 0}


def ours(title):
    """Process ids that this test's own Ray runs under ``title``; others may run on the machine."""
    family = psutil.Process().children(recursive=True)
    return sorted(process.pid for process in family if title in _title(process))


def workers():
    """Process ids of the training workers that are alive."""
    return ours("RayTrainWorker")


def _title(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


class WorkerWatch:
    """The workers' process ids at each ledger event."""

    def __init__(self):
        self.seen = set()

    def changed(self, trials, event):
        if event.event == "epoch":
            self.seen.add(tuple(workers()))


@pytest.fixture(scope="module")
def finished(cluster, storage):
    """A whole search with two slots on two CPUs, some of its trials stopped early."""
    watch = WorkerWatch()
    spec = small_spec(search__trials=10, training__epochs=4, **HASTY)
    run, trials = search(spec, storage, "finished", cluster, observers=[watch])
    return spec, run, trials, watch


def test_no_thread_that_knows_ray_outlives_a_search(finished):
    # What one frees while Ray is left ends the process, with exit code 1 and no word.
    assert [one for one in threading.enumerate() if isinstance(one, threading.Timer)] == []
    assert not [one.name for one in threading.enumerate() if "-slot-" in one.name]


def test_every_trial_ends_once_and_the_files_agree(finished):
    spec, run, trials, _ = finished
    assert ends(run) == {n: [r.status] for n, r in trials.records.items()}
    assert len(trials.records) == 10
    summary = summarize(run, read(run.ledger_file), trials)
    assert summary["num_trials"] == 10
    assert summary["num_completed"] + summary["num_pruned"] == 10
    assert summary["trial_overhead_s"] is not None
    rows = leaderboard_rows(spec, trials)
    assert rows[0]["number"] == summary["best_trial"]


def test_scheduler_stops_keep_the_workers(finished):
    _, _, trials, watch = finished
    assert trials.with_status("pruned"), "the space or seed gives no early stop: choose another"
    # The second slot may still be starting at the first epochs; no worker is ever replaced.
    assert len(set().union(*watch.seen)) == 2


def test_a_promoted_trial_goes_on_where_it_paused(finished):
    _, run, trials, _ = finished
    check_promoted(run)
    assert trials.records[0].pauses == 0, "the published settings"


def test_the_noise_of_its_validation_sets_is_noted(finished):
    _, run, _, _ = finished
    noted = ValidationNoise.from_dict(run.info()["validation"])
    assert noted.speakers == (2,)
    assert min(noted.counts[0]) > 0


def test_the_journal_tells_what_the_ledger_tells(finished):
    _, run, trials, _ = finished
    backend = optuna.storages.journal.JournalFileBackend(str(run.study_file))
    storage = optuna.storages.JournalStorage(backend)
    study = optuna.load_study(study_name=run.root.name, storage=storage)
    states = {"completed": "COMPLETE", "pruned": "PRUNED"}
    assert [t.state.name for t in study.trials] == [
        states[trials.records[t.number].status] for t in study.trials
    ]


def test_the_published_settings_run_first_and_to_their_end(finished):
    spec, _, trials, _ = finished
    first = trials.records[0]
    assert first.details["published"]
    assert (first.status, first.last_epoch) == ("completed", spec.training.epochs)


def test_only_the_best_checkpoints_are_kept(finished):
    spec, run, trials, _ = finished
    kept = {str(path.relative_to(run.root)) for path in run.root.glob("checkpoints/*/*")}
    best = [r.checkpoint[0] for r in trials.ranked()[: spec.search.keep_best]]
    measured = [r.checkpoint[0] for r in trials.records.values() if r.never_pruned]
    assert kept == {*best, *measured}


def test_equal_seeds_give_equal_trials_and_losses(cluster, storage):
    spec = small_spec(search__slots=1, search__trials=6, training__epochs=4, **HASTY)
    run, first = search(spec, storage, "seed-a", cluster)
    _, second = search(spec, storage, "seed-b", cluster)
    assert losses(first) == losses(second)
    assert check_promoted(run), "the space or seed promotes nobody: choose another"
    assert first.records[0].pauses == 0, "the published settings"


def test_a_used_group_and_a_fresh_one_give_equal_losses(cluster, storage):
    _, used = search(small_spec(search__slots=1), storage, "used", cluster)
    last = used.records[3]
    settings = {key.replace(".", "__"): value for key, value in last.config.items()}
    alone = small_spec(search__slots=1, search__trials=1, search__published_first=False, **settings)
    _, fresh = search(alone, storage, "fresh", cluster)
    assert losses(fresh)[0] == losses(used)[3]


def test_a_failing_trial_keeps_the_group_and_the_search(cluster, storage):
    watch = WorkerWatch()
    spec = small_spec(
        model__name="failing_model:FailingHRNet",
        search__slots=1,
        search__published_first=False,
        search__trials=8,
        search__seed=1,  # its random trials have all three, before the sampler avoids two of them
        training__epochs=1,
        space__model__width={"choice": [8, 12, 16]},
    )
    run, trials = search(spec, storage, "failing", cluster, observers=[watch])
    reasons = {r.config["model.width"]: r.reason for r in trials.with_status("failed")}
    assert reasons[12] == "ValueError: this model refuses width 12"
    assert reasons[16].startswith("NonFiniteLossError")
    assert {r.config["model.width"] for r in trials.with_status("completed")} == {8}
    assert all(len(events) == 1 for events in ends(run).values())
    assert len(set().union(*watch.seen)) == 1


def test_a_killed_worker_costs_an_attempt_not_a_trial(cluster, storage):
    def kill(event):
        os.kill(workers()[0], signal.SIGKILL)

    hook = Hook(lambda e: e.event == "epoch" and e.number == 1, kill)
    spec = small_spec(search__slots=1, training__epochs=3, search__checkpoint_every_s=0)
    run, trials = search(spec, storage, "worker-kill", cluster, observers=[hook])
    assert hook.done
    assert all(len(events) == 1 for events in ends(run).values())
    assert trials.records[1].attempts == 2
    undisturbed = small_spec(search__slots=1, training__epochs=3)
    _, expected = search(undisturbed, storage, "undisturbed", cluster)
    assert losses(trials) == losses(expected)


def test_a_killed_proxy_keeps_the_workers(cluster, storage):
    watch = WorkerWatch()

    def kill(event):
        proxies = {*ours("TrialProxy"), *ours("ResourceTrainable")}
        assert proxies
        for pid in proxies:
            os.kill(pid, signal.SIGKILL)

    hook = Hook(lambda e: e.event == "epoch" and e.number == 1, kill)
    spec = small_spec(search__slots=1, training__epochs=3, search__checkpoint_every_s=0)
    run, trials = search(spec, storage, "proxy-kill", cluster, observers=[watch, hook])
    assert hook.done
    assert all(len(events) == 1 for events in ends(run).values())
    assert {r.attempts for r in trials.records.values()} == {1}, "nothing is trained twice"
    assert len(set().union(*watch.seen)) == 1


def test_a_search_is_steered_over_its_page_and_keeps_its_workers(cluster, storage):
    watch, run, told = WorkerWatch(), RunFolder(storage / "steered"), []
    with ExitStack() as stack:

        def steer(event):
            page = page_of(run)
            address = stack.enter_context(served(page))
            target = address.replace("/?token=", "/steer?").partition("?")[0]
            for asked in (
                {"action": "stop-trial", "target": 0},
                {"action": "more-trials", "amount": 1},
            ):
                body, token = json.dumps(asked).encode(), {TOKEN: page.token}
                request = urllib.request.Request(target, data=body, headers=token)
                with urllib.request.urlopen(request) as answer:
                    told.append(answer.read().decode())

        hook = Hook(lambda e: e.event == "epoch" and e.number == 0, steer)
        spec = small_spec(
            search__slots=1, training__epochs=4, search__trials=2, search__scheduler="none"
        )
        _, trials = search(spec, storage, "steered", cluster, observers=[watch, hook])
    assert len(told) == 2
    # Asked for while its first epoch was written down: the next one that ends is its last.
    assert (trials.records[0].status, trials.records[0].last_epoch) == ("pruned", 2)
    assert [r.status for r in trials.records.values()] == ["pruned", "completed", "completed"]
    assert len(set().union(*watch.seen)) == 1


def test_an_error_of_the_driver_ends_the_search_which_can_be_resumed(cluster, storage):
    def fail(event):
        raise RuntimeError("a mistake of ours")

    hook = Hook(lambda e: e.event == "completed" and e.number == 1, fail)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        search(small_spec(), storage, "full", cluster, observers=[hook])
    run, trials = search(small_spec(), storage, "full", cluster, resume=True)
    assert len(trials.records) == 4
    assert all(len(events) == 1 for events in ends(run).values())


@pytest.mark.slow
def test_the_epoch_budget_leaves_a_resumable_run(cluster, storage):
    spec = small_spec(search__slots=1, search__epoch_budget=3)
    run, trials = search(spec, storage, "budget", cluster)
    assert trials.num_epochs == 3
    assert len(trials.with_status("running")) == 1
    more = small_spec(search__slots=1)
    run, trials = search(more, storage, "budget", cluster, resume=True)
    _, expected = search(more, storage, "no-budget", cluster)
    assert losses(trials) == losses(expected)
    assert all(len(events) == 1 for events in ends(run).values())


def test_two_ddp_workers_train_one_trial(cluster, storage):
    spec = small_spec(search__workers=2, search__trials=2)
    _, trials = search(spec, storage, "ddp", cluster)
    assert [r.status for r in trials.records.values()] == ["completed"] * 2


def test_a_signal_finishes_the_epoch_and_leaves_a_resumable_run(cluster, storage):
    from raysearch.errors import SearchInterruptedError

    def interrupt(event):
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        time.sleep(0.2)

    hook = Hook(lambda e: e.event == "epoch" and e.number == 1, interrupt)
    spec = small_spec(search__slots=1, training__epochs=3)
    with pytest.raises(SearchInterruptedError, match="--resume"):
        search(spec, storage, "signal", cluster, observers=[hook])
    run, trials = search(spec, storage, "signal", cluster, resume=True)
    assert all(len(events) == 1 for events in ends(run).values())
    assert len(trials.records) == 4


def test_nothing_is_left_running(cluster):
    # Ray calls a worker gone when it has told it to exit; the process takes some 0.1 s more.
    deadline = time.monotonic() + 5
    while workers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert workers() == []
    assert not [a for a in ray.util.list_named_actors() if "slot" in a]
