"""When a search has had enough: trials, epochs, wall time, core time."""

import time
from collections.abc import Sequence

from raysearch.config.search import SearchConfig
from raysearch.ledger import Event
from raysearch.trials import Trials

__all__ = ["Budgets"]


class Budgets:
    """The limits of ``search``.

    The wall clock starts when this is made, anew on each resumption. Core time runs from the
    first trial that is started, and what earlier drivers used counts.

    Args:
        search: the limits.
        num_cpus: CPUs of all slots together.
        events: the ledger so far.
    """

    def __init__(
        self, search: SearchConfig, num_cpus: float = 0, events: Sequence[Event] = ()
    ) -> None:
        self._num_trials = search.trials
        self._num_epochs = search.epoch_budget
        seconds = search.time_budget_s
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._core_s = search.core_budget_s
        self._num_cpus = num_cpus
        self._earlier_s = _wall_seconds(events)
        self._begun: float | None = None

    def begin(self) -> None:
        """A trial is started; from the first one on core time is spent."""
        self._begun = self._begun or time.monotonic()

    def all_proposed(self, trials: Trials) -> bool:
        """Whether there are as many trials as there shall be, failed ones included."""
        return len(trials.records) >= self._num_trials

    def spent(self, trials: Trials) -> str | None:
        """Which budget stops even the trials in flight; ``None`` while there is some of each."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return "time budget"
        if self._num_epochs is not None and trials.num_epochs >= self._num_epochs:
            return "epoch budget"
        if self._core_s is not None and self._used_core_s() >= self._core_s:
            return "core budget"
        return None

    def _used_core_s(self) -> float:
        now_s = time.monotonic() - self._begun if self._begun is not None else 0.0
        return self._num_cpus * (self._earlier_s + now_s)


def _wall_seconds(events: Sequence[Event]) -> float:
    """Seconds from the first to the last event of each driver."""
    spans: dict[int, tuple[float, float]] = {}
    for event in events:
        first, last = spans.get(event.fence, (event.time, event.time))
        spans[event.fence] = min(first, event.time), max(last, event.time)
    return sum(last - first for first, last in spans.values())
