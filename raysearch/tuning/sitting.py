"""One sitting of a search: a conductor on slots that are up, Tune's loop, and what follows it."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, PlacementGroupFactory, RunConfig, TuneConfig

from raysearch.errors import RaysearchError, SearchInterruptedError
from raysearch.ledger import LedgerStore
from raysearch.ledger_events import Steered
from raysearch.patience import no_room, patiently
from raysearch.run_folder import RunFolder
from raysearch.run_lease import Lease
from raysearch.spec import SearchSpec
from raysearch.steering import commands_taken
from raysearch.storage.run_storage import publication
from raysearch.storage.two_kinds import Storage
from raysearch.streaming.preparation import AuditedSplit, FeatureBank, Progress
from raysearch.trial_records import Trials
from raysearch.tuning.adapters import ConductorScheduler, ConductorSearcher
from raysearch.tuning.budgets import NOTHING, Account, Spent, unread
from raysearch.tuning.checkpoint_keeper import CheckpointKeeper
from raysearch.tuning.chronicle import Chronicle, Observer
from raysearch.tuning.conductor import Conductor
from raysearch.tuning.interrupts import Interrupt
from raysearch.tuning.journal import prune
from raysearch.tuning.problem import SpecProblem
from raysearch.tuning.refit_plan import RefitPlan
from raysearch.tuning.study import Study, num_startup_trials
from raysearch.tuning.tolerance import ValidationNoise
from raysearch.tuning.trial_proxy import TrialProxy
from raysearch.workers.pool import WorkerPool
from raysearch.workers.slot_news import Hearing, unheard

__all__ = ["Begun", "Bench", "Ended", "Sitting", "Watcher", "conduct", "end_paused"]

PROXY_RESTARTS = 3


@dataclass(frozen=True)
class Watcher:
    """The functions and observers that are told of a search while it runs.

    Attributes:
        say: takes a line for the user.
        progress: takes (what, done, total) while features are computed.
        observers: take every ledger event.
        slot: takes what becomes of the slots.
        spent: takes what the trials have spent so far.
    """

    say: Callable[[str], None]
    progress: Progress
    observers: Sequence[Observer] = ()
    slot: Hearing = unheard
    spent: Callable[[Account], None] = unread


@dataclass(frozen=True, slots=True)
class Begun:
    """What came before a search's first trial: values that all trials share, and their cost.

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


@dataclass(frozen=True)
class Bench:
    """The features and slots that trials run on.

    Attributes:
        bank: their features.
        pool: the slots.
        keep_slots: idle ones stay open when the trials are over, as something is to be trained
            after them.
    """

    bank: FeatureBank
    pool: WorkerPool
    keep_slots: bool = True


@dataclass
class Sitting:
    """One driver's part in a search.

    Attributes:
        spec: the settings.
        run: the run's folder, opened for them.
        lease: of the folder.
        storage: where the folder is kept.
        audited: the data.
        watcher: who is told.
        num_trials: that the search is to have in all its sittings; None: those of ``spec``.
        outcome: how it ended, for ``run.json``.
    """

    spec: SearchSpec
    run: RunFolder
    lease: Lease
    storage: Storage
    audited: AuditedSplit
    watcher: Watcher
    num_trials: int | None = None
    outcome: str = "failed"

    @property
    def num_startup(self) -> int:
        """Random trials before the sampler models anything."""
        return num_startup_trials(self.num_trials or self.spec.search.trials)


def conduct(
    sitting: Sitting,
    bench: Bench,
    interrupt: Interrupt,
    *,
    begun: Begun | None = None,
    until: Callable[[Trials], bool] | None = None,
    finish: Callable[[Ended], None] | None = None,
) -> Trials:
    """Search until trials or budgets are spent, a signal comes, or ``until`` is true.

    Args:
        sitting: what is searched; its outcome is filled in.
        bench: where.
        interrupt: stops it.
        begun: what came before the first trial.
        until: as the conductor takes it.
        finish: as ``run_search`` takes it.
    """
    pool, watcher, refit = bench.pool, sitting.watcher, _refit_plan(sitting, bench.bank)
    with _ledger(sitting) as ledger:
        with commands_taken(sitting.run) as commands:
            conductor = _conductor(sitting, bench, refit, begun or Begun(), until, ledger, commands)
            interrupt.then(conductor.stop)
            pool.wait_for(1, watcher.say, stopped=lambda: conductor.stopping is not None)
            _let_tune_run(conductor, pool, sitting.run, keep_slots=bench.keep_slots)
        if conductor.error:
            sitting.outcome = conductor.stopping or sitting.outcome
            raise conductor.error
        if finish:
            pool.freeze()  # its slots are not claimed; nothing may take them away
    if finish and not interrupt.received:
        interrupt.then(None)  # what it has trained is kept, and made use of on resumption
        ended = Ended(conductor.trials, bench.bank, pool, refit, conductor.budget_left_s)
        patiently(lambda: finish(ended), no_room)  # what it has trained, it keeps
    sitting.outcome = conductor.stopping or "finished"
    return conductor.trials


def end_paused(sitting: Sitting, reason: str) -> None:
    """End the paused trials of a search that will not go on, and remove their checkpoints.

    Args:
        sitting: whose search; no worker is at it.
        reason: what the ledger says of it.
    """
    search = sitting.spec.search
    with _ledger(sitting) as ledger:
        trials = Trials.replay(ledger.events, search.objective)
        chronicle = Chronicle(ledger, trials, sitting.watcher.observers, {})
        paused = trials.with_status("paused")
        for record in paused:
            chronicle.ended(record, "pruned", reason=reason)
        prune(sitting.run.study_file, {record.number for record in paused})
        CheckpointKeeper(sitting.run.root, search.keep_best, ledger.after).sweep(trials)


@contextmanager
def _ledger(sitting: Sitting) -> Iterator[LedgerStore]:
    """The run's ledger, all of it sent at the end; a second signal waits for nothing."""
    ledger = sitting.storage.ledger(sitting.run.root, sitting.lease.fence)
    if ledger.message:
        sitting.watcher.say(ledger.message)
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
    sitting: Sitting,
    bench: Bench,
    refit: RefitPlan,
    begun: Begun,
    until: Callable[[Trials], bool] | None,
    ledger: LedgerStore,
    commands: Callable[[], Iterable[Steered]],
) -> Conductor:
    spec, run, pool = sitting.spec, sitting.run, bench.pool
    study = Study(
        run.study_file,
        run.root.name,
        spec.space,
        seed=spec.search.seed,
        num_startup=run.info()["num_startup_trials"],
        priors=spec.search.priors,
    )
    return Conductor(
        SpecProblem(spec, sitting.audited.identity(spec), bench.bank.data, begun.common),
        run.root.absolute(),
        ledger,
        pool,
        study,
        publication=publication(run.root, sitting.lease),
        slot_cpus=pool.plan.workers * pool.plan.cpus_per_worker,
        reserve=lambda trials: refit.seconds(trials, pool.num_open()),
        noise=refit.noise,
        spent=begun.spent,
        until=until,
        commands=commands,
        observers=sitting.watcher.observers,
        say=sitting.watcher.say,
        tell=sitting.watcher.spent,
    )


def _refit_plan(sitting: Sitting, bank: FeatureBank) -> RefitPlan:
    audited = sitting.audited
    noise = ValidationNoise.of((audited.split, *audited.inner))
    return RefitPlan(sitting.spec, len(bank.rows.train), len(bank.all_rows.train), noise)


def _let_tune_run(
    conductor: Conductor, pool: WorkerPool, run: RunFolder, *, keep_slots: bool
) -> None:
    """Tune's loop, until the conductor has no more trials; it keeps nothing that we need."""
    scheduler = ConductorScheduler(conductor)
    searcher = ConductorSearcher(conductor, pool, scheduler.errors, keep_slots=keep_slots)
    with tempfile.TemporaryDirectory(prefix="raysearch-tune-", ignore_cleanup_errors=True) as tmp:
        tuner = tune.Tuner(
            tune.with_resources(TrialProxy, PlacementGroupFactory([{"memory": 1}])),
            tune_config=TuneConfig(
                search_alg=searcher,
                scheduler=scheduler,
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
