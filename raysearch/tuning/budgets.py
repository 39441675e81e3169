"""When a search has had enough: trials, epochs, wall time, core time."""

import time
from collections.abc import Callable, Sequence

from raysearch.config.search import SearchConfig
from raysearch.ledger import Event
from raysearch.trials import Trials

__all__ = ["Budgets"]


class Budgets:
    """The limits of ``search``.

    Time runs from the first trial that is started, as a search may have to wait for its turn: wall
    time anew on each resumption, core time on from what earlier drivers used.

    Args:
        search: the limits.
        slot_cpus: CPUs of one slot.
        num_slots: how many are open; that may change.
        events: the ledger so far.
    """

    def __init__(
        self,
        search: SearchConfig,
        slot_cpus: float = 0,
        num_slots: Callable[[], int] = lambda: 0,
        events: Sequence[Event] = (),
    ) -> None:
        self._num_trials = search.trials
        self._num_epochs = search.epoch_budget
        self._seconds = search.time_budget_s
        self._began: float | None = None
        self._core_s = search.core_budget_s
        self._slot_cpus, self._num_slots = slot_cpus, num_slots
        self._used_core_s = slot_cpus * _slot_seconds(events)
        self._counted: float | None = None

    def begin(self) -> None:
        """A trial is started; from the first one on time is spent."""
        self._began = self._began or time.monotonic()
        self._counted = self._counted or self._began

    def all_proposed(self, trials: Trials) -> bool:
        """Whether there are as many trials as there shall be, failed ones included."""
        return len(trials.records) >= self._num_trials

    def spent(self, trials: Trials) -> str | None:
        """Which budget stops even the trials in flight; ``None`` while there is some of each."""
        used = time.monotonic() - self._began if self._began else 0.0
        if self._seconds is not None and used >= self._seconds:
            return "time budget"
        if self._num_epochs is not None and trials.num_epochs >= self._num_epochs:
            return "epoch budget"
        self._count()
        if self._core_s is not None and self._used_core_s >= self._core_s:
            return "core budget"
        return None

    def _count(self) -> None:
        """Add the core time since the last time; that is often, so slots may come and go."""
        if self._counted is not None:
            now = time.monotonic()
            self._used_core_s += self._slot_cpus * self._num_slots() * (now - self._counted)
            self._counted = now


def _slot_seconds(events: Sequence[Event]) -> float:
    """Seconds from the first to the last event of each driver, times the slots that it used."""
    drivers: dict[int, list[Event]] = {}
    for event in events:
        drivers.setdefault(event.fence, []).append(event)
    return sum(
        (of_one[-1].time - of_one[0].time) * len({e.slot for e in of_one if e.slot is not None})
        for of_one in drivers.values()
    )
