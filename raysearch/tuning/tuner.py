"""Runs one search from its settings to a finished ledger: its features, slots and trials."""

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from raysearch.config.identity import stable_hash
from raysearch.errors import RunExistsError, SearchInterruptedError
from raysearch.ray_cluster.energy import EnergyMeter
from raysearch.ray_cluster.session import ClusterSession
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec
from raysearch.storage.two_kinds import Storage
from raysearch.streaming.preparation import AuditedSplit, FeatureBank, prepare_features
from raysearch.streaming.speakers import speakers_of_one
from raysearch.streaming.wanted_features import WantedFeatures
from raysearch.training.transductive import NOTE, is_transductive
from raysearch.trial_records import Trials
from raysearch.tuning.interrupts import Interrupt, signals
from raysearch.tuning.session_facts import session_facts
from raysearch.tuning.sitting import Begun, Bench, Ended, Sitting, Watcher, conduct, end_paused
from raysearch.workers.open_pool import open_pool
from raysearch.workers.pool import WorkerPool

__all__ = [
    "Begun",
    "Bench",
    "Ended",
    "Sitting",
    "Watcher",
    "end_paused",
    "prepared_bank",
    "run_search",
    "say_slots",
    "search_part",
]


def run_search(
    spec: SearchSpec,
    run: RunFolder,
    lease: Lease,
    audited: AuditedSplit,
    session: ClusterSession,
    *,
    started: float,
    storage: Storage,
    features: Path,
    watcher: Watcher,
    begin: Callable[[WorkerPool], Begun] | None = None,
    finish: Callable[[Ended], None] | None = None,
) -> Trials:
    """Run, or continue, the search of ``run`` until its trials or budgets are spent.

    Args:
        spec: its settings.
        run: its folder, opened for these settings.
        lease: the folder's lease.
        audited: its data.
        session: the connected Ray.
        started: when the command began, in seconds since 1970.
        storage: where the run is kept.
        features: the folder in which the feature store lies.
        watcher: who is told.
        begin: makes what the trials start from, on slots that it waits for.
        finish: makes the final model of the trials; not called after an interruption.

    Returns:
        Every trial as the ledger has it.

    Raises:
        SearchInterruptedError: a signal; what was in flight can be resumed.
        InfrastructureError: no slot is left, or none came up.
        DataError: the audio cannot be used, or changed since the run began.
    """
    sitting = Sitting(spec, run, lease, storage, audited, watcher)
    with _noted(sitting, session, started), signals() as interrupt:
        bank = prepared_bank(spec, audited, features, watcher)
        with open_pool(spec, run, session, watcher.say, watcher.slot) as pool:
            say_slots(pool, watcher.say)
            begun = begin(pool) if begin else Begun()
            bench = Bench(bank, pool, keep_slots=finish is not None)
            trials = conduct(sitting, bench, interrupt, begun=begun, finish=finish)
    return _unless_interrupted(interrupt, run, trials)


def search_part(
    sitting: Sitting,
    session: ClusterSession,
    bench: Bench,
    *,
    until: Callable[[Trials], bool] | None = None,
    finish: Callable[[Ended], None] | None = None,
) -> Trials:
    """Continue a search as ``run_search`` does, on slots that others use before and after it.

    Args:
        sitting: what is searched.
        session: the connected Ray.
        bench: the features and the slots.
        until: ends this part once it is true of the trials, and makes it a part: the search will
            go on. Without it the search is over when its trials or budgets are spent.
        finish: makes the final model of the trials.
    """
    with _noted(sitting, session, time.time()), signals() as interrupt:
        trials = conduct(sitting, bench, interrupt, until=until, finish=finish)
    return _unless_interrupted(interrupt, sitting.run, trials)


def prepared_bank(
    spec: SearchSpec, audited: AuditedSplit, storage: Path, watcher: Watcher
) -> FeatureBank:
    """Compute the search's features and tell a few lines about them."""
    bank = prepare_features(
        WantedFeatures.of_search(spec),
        audited.split,
        storage,
        corpus=spec.corpus,
        search=spec.search,
        inner=audited.inner,
        on_progress=watcher.progress,
    )
    _say_bank(spec, bank, watcher.say)
    return bank


def say_slots(pool: WorkerPool, say: Callable[[str], None]) -> None:
    """Tell the user how many slots are on their way."""
    room = "as the cluster has room, up to " if pool.elastic else ""
    say(f"starting slots: {room}{pool.plan.describe()}")


@contextmanager
def _noted(sitting: Sitting, session: ClusterSession, started: float) -> Iterator[None]:
    """The driver's session in ``run.json``, from its start to its outcome."""
    spec, run, audited = sitting.spec, sitting.run, sitting.audited
    _check_data(spec, run, audited)
    facts = session_facts(spec, audited, session)
    facts["num_startup_trials"] = sitting.num_startup
    run.add_session(started, sitting.lease.fence, facts)
    sitting.storage.sync(run.root).send()
    # Of a cluster's other nodes this machine's counters say nothing.
    meter = EnergyMeter() if session.local else None
    try:
        yield
    except SearchInterruptedError:
        sitting.outcome = "interrupted"
        raise _interrupted(run) from None
    finally:
        run.end_session(sitting.outcome, meter.stop() if meter else None)


def _unless_interrupted(interrupt: Interrupt, run: RunFolder, trials: Trials) -> Trials:
    if interrupt.received:
        raise _interrupted(run)
    return trials


def _interrupted(run: RunFolder) -> SearchInterruptedError:
    name = shlex.quote(run.root.name)
    return SearchInterruptedError(f"interrupted; continue with --name {name} --resume")


def _check_data(spec: SearchSpec, run: RunFolder, audited: AuditedSplit) -> None:
    fingerprint = stable_hash(audited.identity(spec))
    before = run.info().get("data_fingerprint", fingerprint)
    if before != fingerprint:
        raise RunExistsError(
            f"{run.root}: the training or validation data changed since this run began; "
            "restore it, or start a new run under another --name"
        )


def _say_bank(spec: SearchSpec, bank: FeatureBank, say: Callable[[str], None]) -> None:
    sets, rows = len(bank.sources), len(bank.rows.train) + len(bank.rows.validation)
    say(f"features: {sets} set(s) of {rows} utterances; tier {bank.tier}: {bank.tier_reason}")
    if is_transductive(spec):
        say(NOTE)
        sides = {"train": bank.rows.train.speakers, "validation": bank.rows.validation.speakers}
        if alone := speakers_of_one(sides):
            say(alone)
    if bank.quarantined:
        name, reason = next(iter(bank.quarantined.items()))
        say(f"quarantined: {len(bank.quarantined)} utterance(s), as {name}: {reason}")
