"""A search followed along its ledger: what it amounts to, and when its best value rose."""

from dataclasses import dataclass

from raysearch.config.metric_table import metric_of
from raysearch.forecast.progress import Progress
from raysearch.ledger import Event
from raysearch.ledger_events import EpochDone
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials

__all__ = ["DIGITS", "FollowedSearch", "Step"]

# Significant enough for a picture, and half the bytes of a double.
DIGITS = 5


@dataclass(frozen=True, slots=True)
class Step:
    """The best value so far rose: at so many core-seconds and epochs, by this trial."""

    core_s: float
    epochs: int
    value: float
    number: int


class FollowedSearch:
    """Follows a ledger; each event takes as long however many there are.

    Args:
        spec: the search.

    Attributes:
        trials: every trial, as the ledger has it so far.
        progress: what the search has spent, and when.
    """

    def __init__(self, spec: SearchSpec) -> None:
        self.trials = Trials(spec.search.objective)
        self.progress = Progress(spec)
        self._metric = metric_of(self.trials.objective)
        self._steps: list[Step] = []
        self._epochs = 0

    def take(self, event: Event) -> None:
        """Take one more event in. An epoch that was trained again counts twice.

        Raises:
            DataError: an event that no search writes after those before.
        """
        self.trials.apply(event)
        self.progress.take(event)
        if event.event != "epoch":
            return
        self._epochs += 1
        value = event.told(EpochDone).metrics.get(self.trials.objective)
        if value is None:
            return
        best = self._steps[-1].value if self._steps else None
        if best is None or self._metric.signed(value) > self._metric.signed(best):
            self._steps.append(self._step(round(value, DIGITS), event.number))

    def steps(self) -> list[Step]:
        """The best value so far, at each rise; the last one repeated at the search's end."""
        if self._steps and self._steps[-1].epochs < self._epochs:
            best = self._steps[-1]
            return [*self._steps, self._step(best.value, best.number)]
        return list(self._steps)

    def _step(self, value: float, number: int) -> Step:
        return Step(round(self.progress.core_s, 1), self._epochs, value, number)
