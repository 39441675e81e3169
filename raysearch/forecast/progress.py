"""A running search as a forecast sees it."""

from collections.abc import Iterable
from dataclasses import dataclass

from raysearch.config.metric_table import metric_of
from raysearch.core_time import SlotSeconds
from raysearch.forecast.course import Course
from raysearch.forecast.gain import FURTHEST, Gain, forecast
from raysearch.ledger import Event
from raysearch.ledger_events import EpochDone
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials

__all__ = ["HOUR_S", "Outlook", "Progress", "outlook_of"]

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What more of a search would bring.

    Attributes:
        core_s: further core-seconds: an hour, or as many as were spent if those are fewer.
        gain: of the best validation value.
    """

    core_s: float
    gain: Gain

    @property
    def is_hour(self) -> bool:
        """Whether it is the next core-hour; else that is too far ahead to be told of."""
        return self.core_s == HOUR_S


class Progress:
    """Follows a ledger; each event takes as long however many there are.

    Args:
        spec: the search.
        events: the ledger so far.
    """

    def __init__(self, spec: SearchSpec, events: Iterable[Event] = ()) -> None:
        self._max_epochs, self._scheduler = spec.training.epochs, spec.search.scheduler
        self._slot_cpus = spec.search.workers * spec.search.cpus_per_worker
        self._seconds = SlotSeconds()
        self._at: dict[tuple[int, int], float] = {}
        for event in events:
            self.take(event)

    @property
    def core_s(self) -> float:
        """Core-seconds that the trials have used: all slots' CPUs, busy or between two epochs."""
        return self._slot_cpus * self._seconds.total

    def take(self, event: Event) -> None:
        """Take one more event in."""
        self._seconds.take(event)
        if event.event == "epoch":
            self._at[event.number, event.told(EpochDone).epoch] = self.core_s

    def course(self, trials: Trials) -> Course:
        """The epochs that count in ``trials``, by core-seconds.

        Failed trials and repetitions are left out; what was said of epochs that were trained again
        is, too.
        """
        objective = trials.objective
        points = [
            (self._at[number, epoch], number, one.metrics.get(objective))
            for number, record in trials.records.items()
            if record.status != "failed" and record.copied_from is None
            for epoch, one in record.epochs.items()
            if (number, epoch) in self._at
        ]
        points.sort(key=lambda point: point[0])
        spent, numbers, values = zip(*points, strict=True) if points else ((), (), ())
        return Course.of(spent, numbers, values, metric_of(objective))

    def outlook(self, trials: Trials) -> Outlook | None:
        """For the next core-hour, or for as much time again as a shorter search has had.

        Returns:
            ``None`` while there is not enough to look back on (see ``forecast``).
        """
        course, core_s = self.course(trials), self.core_s
        if core_s <= 0:
            return None
        ahead_s = min(HOUR_S, FURTHEST * core_s)
        gain = forecast(course, ahead_s / core_s, self._max_epochs, self._scheduler)
        return Outlook(ahead_s, gain) if gain else None


def outlook_of(spec: SearchSpec, events: Iterable[Event], trials: Trials) -> Outlook | None:
    """Of the search of ``spec``, whose ledger holds ``events``."""
    return Progress(spec, events).outlook(trials)
