"""When a search has had enough: trials, epochs, wall time."""

import time

from raysearch.config.search import SearchConfig
from raysearch.trials import Trials

__all__ = ["Budgets"]


class Budgets:
    """The limits of ``search``; the clock starts when this is made, anew on each resumption."""

    def __init__(self, search: SearchConfig) -> None:
        self._num_trials = search.trials
        self._num_epochs = search.epoch_budget
        seconds = search.time_budget_s
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def all_proposed(self, trials: Trials) -> bool:
        """Whether there are as many trials as there shall be, failed ones included."""
        return len(trials.records) >= self._num_trials

    def spent(self, trials: Trials) -> str | None:
        """Which budget stops even the trials in flight; ``None`` while there is some of each."""
        if self._deadline is not None and time.monotonic() >= self._deadline:
            return "time budget"
        if self._num_epochs is not None and trials.num_epochs >= self._num_epochs:
            return "epoch budget"
        return None
