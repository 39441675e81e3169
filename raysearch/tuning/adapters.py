"""Shows the conductor to Ray Tune, as a searcher that proposes and a scheduler that decides.

Tune is here for the life of the trials' actors: it starts a light trainable for each slot, uses it
for one trial after the other, starts it again when it dies, and calls back after every epoch.

Tune decides nothing and keeps nothing. Settings, stops, pauses, promotions, budgets and the record
of it all are the conductor's, whose ledger is the only state; models, data and checkpoints are the
worker groups'. So Tune's own searchers, stop rules, loggers, checkpoints and snapshots are left
out.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from raysearch.tuning.conductor import Conductor
from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.pool import WorkerPool

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

__all__ = ["ConductorScheduler", "ConductorSearcher"]

T = TypeVar("T")
# A trial's config; None to be asked again; or ``Searcher.FINISHED``, a word.
Suggestion = dict[str, object] | str | None
FINISHED: Suggestion = Searcher.FINISHED


class _Stateless:
    """Tune pickles whatever it is given; the ledger is the only state worth keeping."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""


class ConductorSearcher(_Stateless, Searcher):
    """Hands Tune a trial whenever a slot is free; the slot is part of the trial's config.

    Args:
        conductor: decides.
        pool: has the slots.
        errors: what the scheduler saw of trials' actors, by number.
        keep_slots: leave idle ones open at the end, as something is to be trained after it.
    """

    def __init__(
        self,
        conductor: Conductor,
        pool: WorkerPool,
        errors: Mapping[int, str],
        *,
        keep_slots: bool = False,
    ) -> None:
        super().__init__(metric="value", mode="max")
        self._conductor, self._errors = conductor, errors
        self._pool = pool
        self._keep_slots = keep_slots
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Suggestion:
        """The next trial's config, ``None`` to be asked again, or ``FINISHED``."""
        return _guarded(self._conductor, lambda: self._suggest(trial_id), FINISHED)

    def _suggest(self, trial_id: str) -> Suggestion:
        assignment = self._conductor.next_trial()
        if assignment is None:
            if not self._conductor.finished:
                return None
            if not self._keep_slots:
                self._pool.close_idle()
            return FINISHED if self._conductor.idle else None
        self._numbers[trial_id] = assignment.number
        return asdict(self._pool.assign(assignment.slot, assignment.task))

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Hear from Tune that it gave the trial's actor up."""
        if error:
            number = self._numbers[trial_id]
            cause = self._errors.get(number, "unknown")
            _guarded(self._conductor, lambda: self._conductor.lost(number, cause), None)


class ConductorScheduler(_Stateless, FIFOScheduler):
    """Passes every report to the conductor, whose answer is Tune's decision.

    Args:
        conductor: decides.

    Attributes:
        errors: the last line of what ended a trial's actor, by the trial's number.
    """

    def __init__(self, conductor: Conductor) -> None:
        super().__init__()
        self._conductor = conductor
        self.errors: dict[int, str] = {}

    def on_trial_result(
        self, tune_controller: object, trial: "Trial", result: dict[str, Any]
    ) -> str:
        """Pass on an epoch that is not the trial's last."""
        stops = self._take(result["report"])
        return str(TrialScheduler.STOP if stops else TrialScheduler.CONTINUE)

    def on_trial_complete(
        self, tune_controller: object, trial: "Trial", result: dict[str, Any]
    ) -> None:
        """Pass on a last epoch; after a stop, too, which the conductor knows of already."""
        if "report" in result:
            self._take(result["report"])

    def on_trial_error(self, tune_controller: object, trial: "Trial") -> None:
        """Note why a trial's actor ended, before Tune tells the searcher that it gives it up."""
        lines = (trial.get_error() or "").strip().splitlines()
        if lines:
            self.errors[int(trial.config["number"])] = lines[-1]

    def _take(self, report: EpochReport) -> bool:
        return _guarded(self._conductor, lambda: self._conductor.take(report), True)


def _guarded(conductor: Conductor, act: Callable[[], T], otherwise: T) -> T:
    """Return what ``act`` gives, or ``otherwise`` once it, or another before it, has raised.

    Tune would only give a trial up, whose slot then never became free, and ask on for ever.
    """
    if conductor.error is None:
        try:
            return act()
        except Exception as error:
            conductor.crash(error)
    return otherwise
