"""One search from its settings to a finished ledger: start Ray, start the slots, let Tune run."""

import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, PlacementGroupFactory, RunConfig, TuneConfig

from raysearch.config.identity import stable_hash
from raysearch.errors import RaysearchError, RunExistsError, SearchInterruptedError
from raysearch.lease import Lease
from raysearch.ledger import LedgerStore
from raysearch.patience import no_room, patiently
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.storage.runs import RunSender, open_ledger, publication
from raysearch.streaming.speakers import speakers_of_one
from raysearch.training.transductive import NOTE, is_transductive
from raysearch.trials import Trials
from raysearch.tuning.adapters import ConductorScheduler, ConductorSearcher
from raysearch.tuning.budgets import NOTHING, Spent
from raysearch.tuning.chronicle import Observer
from raysearch.tuning.cluster_session import ClusterSession
from raysearch.tuning.conductor import Conductor
from raysearch.tuning.interrupts import signals
from raysearch.tuning.pool import WorkerPool
from raysearch.tuning.preparation import AuditedSplit, FeatureBank, Progress, prepare_features
from raysearch.tuning.problem import SpecProblem
from raysearch.tuning.refit_plan import RefitPlan
from raysearch.tuning.session_facts import session_facts
from raysearch.tuning.sizing import open_pool
from raysearch.tuning.study import Study
from raysearch.tuning.tolerance import ValidationNoise
from raysearch.tuning.trial import TrialProxy

__all__ = ["Begun", "Ended", "Watcher", "run_search"]

PROXY_RESTARTS = 3


@dataclass(frozen=True)
class Watcher:
    """Who is told of a search while it runs.

    Attributes:
        say: takes a line for the user.
        progress: takes (what, done, total) while features are computed.
        observers: take every ledger event.
    """

    say: Callable[[str], None]
    progress: Progress
    observers: Sequence[Observer] = ()


@dataclass(frozen=True, slots=True)
class Begun:
    """What the trials of a search have in common beside its settings.

    Attributes:
        common: dotted field to value, of every trial but the published settings.
        spent: what it took.
    """

    common: Mapping[str, Any] = field(default_factory=dict)
    spent: Spent = NOTHING


@dataclass(frozen=True)
class Ended:
    """A search whose trials are over, while its slots are still up.

    Attributes:
        trials: every trial.
        bank: their features.
        pool: the slots.
        refit: how long its winner would learn from all rows.
        left_s: wall time that the budgets still hold; None if they set no limit.
    """

    trials: Trials
    bank: FeatureBank
    pool: WorkerPool
    refit: RefitPlan
    left_s: float | None


def run_search(
    spec: SearchSpec,
    run: RunFolder,
    lease: Lease,
    audited: AuditedSplit,
    session: ClusterSession,
    *,
    started: float,
    storage: Path,
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
        storage: where the feature store lies.
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
    _check_data(spec, run, audited)
    run.add_session(started, lease.fence, session_facts(spec, audited, session))
    RunSender(run.root).send()
    outcome = "failed"
    try:
        with signals() as interrupt:
            bank = prepare_features(
                spec, audited.split, storage, inner=audited.inner, on_progress=watcher.progress
            )
            _say_bank(spec, bank, watcher.say)
            with open_pool(spec, run, session, watcher.say) as pool:
                room = "as the cluster has room, up to " if pool.elastic else ""
                watcher.say(f"starting slots: {room}{pool.plan.describe()}")
                refit = _refit_plan(spec, audited, bank)
                begun = begin(pool) if begin else Begun()
                with _ledger(run, lease, watcher) as ledger:
                    conductor = _conductor(
                        spec, run, lease, audited, bank, pool, watcher, refit, begun, ledger
                    )
                    interrupt.then(conductor.stop)
                    pool.wait_for(1, watcher.say, stopped=lambda: conductor.stopping is not None)
                    _let_tune_run(conductor, pool, run, keep_slots=finish is not None)
                    if conductor.error:
                        outcome = conductor.stopping or outcome
                        raise conductor.error
                    if finish:
                        pool.freeze()  # its slots are not claimed; nothing may take them away
                if finish and not interrupt.received:
                    left_s = conductor.budget_left_s
                    ended = Ended(conductor.trials, bank, pool, refit, left_s)
                    patiently(lambda: finish(ended), no_room)  # what it has trained, it keeps
        outcome = conductor.stopping or "finished"
    except SearchInterruptedError:
        outcome = "interrupted"
        raise
    finally:
        run.end_session(outcome)
    if interrupt.received:
        raise SearchInterruptedError(
            f"interrupted; continue with --name {shlex.quote(run.root.name)} --resume"
        )
    return conductor.trials


@contextmanager
def _ledger(run: RunFolder, lease: Lease, watcher: Watcher) -> Iterator[LedgerStore]:
    """The run's ledger, all of it sent at the end; a second signal waits for nothing."""
    ledger = open_ledger(run.ledger_file, lease.fence)
    if ledger.message:
        watcher.say(ledger.message)
    try:
        yield ledger
    except SearchInterruptedError:
        ledger.abandon()
        raise
    except Exception:
        with suppress(RaysearchError):  # what ended the search is told instead
            ledger.close()
        raise
    ledger.close()


def _conductor(
    spec: SearchSpec,
    run: RunFolder,
    lease: Lease,
    audited: AuditedSplit,
    bank: FeatureBank,
    pool: WorkerPool,
    watcher: Watcher,
    refit: RefitPlan,
    begun: Begun,
    ledger: LedgerStore,
) -> Conductor:
    study = Study(
        run.study_file,
        run.root.name,
        spec.space,
        seed=spec.search.seed,
        num_startup=run.info()["num_startup_trials"],
        priors=spec.search.priors,
    )
    return Conductor(
        SpecProblem(spec, audited.identity(spec), bank.data, begun.common),
        run.root.absolute(),
        ledger,
        pool,
        study,
        task={
            **publication(run.root, lease),
            "checkpoint_every_s": spec.search.checkpoint_every_s,
            "elastic": spec.search.max_workers is not None,
        },
        slot_cpus=pool.plan.workers * pool.plan.cpus_per_worker,
        reserve=lambda trials: refit.seconds(trials, pool.num_open()),
        noise=refit.noise,
        spent=begun.spent,
        observers=watcher.observers,
        say=watcher.say,
    )


def _refit_plan(spec: SearchSpec, audited: AuditedSplit, bank: FeatureBank) -> RefitPlan:
    noise = ValidationNoise.of((audited.split, *audited.inner))
    return RefitPlan(spec, len(bank.rows.train), len(bank.all_rows.train), noise)


def _let_tune_run(
    conductor: Conductor, pool: WorkerPool, run: RunFolder, *, keep_slots: bool
) -> None:
    """Tune's loop, until the conductor has no more trials; it keeps nothing that we need."""
    with tempfile.TemporaryDirectory(prefix="raysearch-tune-", ignore_cleanup_errors=True) as tmp:
        tuner = tune.Tuner(
            tune.with_resources(TrialProxy, PlacementGroupFactory([{"memory": 1}])),
            tune_config=TuneConfig(
                search_alg=ConductorSearcher(conductor, pool, keep_slots=keep_slots),
                scheduler=ConductorScheduler(conductor),
                num_samples=-1,
                reuse_actors=True,
            ),
            run_config=RunConfig(
                name=run.root.name,
                storage_path=tmp,
                verbose=0,
                failure_config=FailureConfig(max_failures=PROXY_RESTARTS),
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
            ),
        )
        tuner.fit()


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
