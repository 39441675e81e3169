"""The conductor as Ray Tune sees it: a searcher that proposes and a scheduler that decides."""

from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from raysearch.tuning.conductor import Conductor
from raysearch.tuning.pool import WorkerPool
from raysearch.tuning.trial import EpochReport

__all__ = ["ConductorScheduler", "ConductorSearcher"]


class _Stateless:
    """Tune pickles whatever it is given; the ledger is the only state worth keeping."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""


class ConductorSearcher(_Stateless, Searcher):
    """Hands Tune a trial whenever a slot is free; the slot is part of the trial's config."""

    def __init__(self, conductor: Conductor, pool: WorkerPool) -> None:
        super().__init__(metric="value", mode="max")
        self._conductor = conductor
        self._pool = pool
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Any:
        """The next trial's config, ``None`` to be asked again, or ``FINISHED``."""
        try:
            return self._suggest(trial_id) if self._conductor.error is None else Searcher.FINISHED
        except Exception as error:  # Tune would ask again for ever
            self._conductor.crash(error)
            return Searcher.FINISHED

    def _suggest(self, trial_id: str) -> Any:
        assignment = self._conductor.next_trial()
        if assignment is None:
            if not self._conductor.finished:
                return None
            self._pool.close_idle()
            return Searcher.FINISHED if self._conductor.idle else None
        self._numbers[trial_id] = assignment.number
        lease = self._pool.assign(assignment.slot, assignment.task)
        return {"number": assignment.number, "label": assignment.label, **lease}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tune gave the trial's actor up."""
        if error and self._conductor.error is None:
            self._conductor.lost(self._numbers[trial_id])


class ConductorScheduler(_Stateless, FIFOScheduler):
    """Passes every report to the conductor, whose answer is Tune's decision."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__()
        self._conductor = conductor

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """An epoch that is not the trial's last."""
        stops = self._take(result["report"])
        return str(TrialScheduler.STOP if stops else TrialScheduler.CONTINUE)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """A last epoch; also called after a stop, which the conductor knows of already."""
        if "report" in result:
            self._take(result["report"])

    def _take(self, report: EpochReport) -> bool:
        if self._conductor.error is not None:
            return True
        try:
            return self._conductor.take(report)
        except Exception as error:  # Tune would only give the trial up, and the slot never be free
            self._conductor.crash(error)
            return True
