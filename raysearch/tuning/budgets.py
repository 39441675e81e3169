"""When a search has had enough: trials, epochs, wall time, core time."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from raysearch.config.search import SearchConfig
from raysearch.core_time import SlotSeconds
from raysearch.ledger import Event
from raysearch.ledger_events import Steered
from raysearch.trial_records import TrialRecord, Trials

__all__ = ["BUDGETS", "MAX_PRETRAINING", "NOTHING", "Account", "Budgets", "Spent", "unread"]

# What stops a search when it is spent.
EPOCHS, TIME, CORES = "epoch budget", "time budget", "core budget"
BUDGETS = frozenset({EPOCHS, TIME, CORES})

# Of a budget, at most this is kept for what comes after the trials.
MAX_RESERVE = 1 / 3
# A slot's time that the published settings' rerun may take of a time or core budget.
MAX_PUBLISHED = 1 / 10
# Of a time or core budget, what pre-training may take.
MAX_PRETRAINING = 1 / 3


# So many proposals in a row that were all tried before: nothing in the space is left.
MAX_COPIES = 100


@dataclass(frozen=True, slots=True)
class Spent:
    """What a search took before its first trial: seconds of wall time, and of one CPU."""

    wall_s: float = 0.0
    core_s: float = 0.0


NOTHING = Spent()


@dataclass(frozen=True, slots=True)
class Account:
    """What a search has spent at one moment, and what it still may.

    Attributes:
        core_s: the slots' CPUs times wall time so far.
        most_core_s: the core budget; None: there is none.
        left_s: wall time until a budget ends the trials, with the slots that there are now; None if
            none of time is set.
        budget: the name of the one that ends them.
        epochs_left: of the epoch budget; None: there is none.
        cpus: of all slots, by which core time grows.
    """

    core_s: float
    most_core_s: float | None = None
    left_s: float | None = None
    budget: str = ""
    epochs_left: int | None = None
    cpus: float = 0.0


def unread(account: Account) -> None:
    """Do nothing with the account."""


class Budgets:
    """Tells when a search has used up the limits in its ``search`` section.

    Time runs from the first trial that is started, as a search may have to wait for its turn: wall
    time anew on each resumption, core time on from what earlier drivers used. What was spent
    before the first trial is paid for as well.

    Args:
        search: the limits.
        slot_cpus: CPUs of one slot.
        num_slots: how many are open; that may change.
        events: the ledger so far.
        reserve: wall seconds that the end of the search will take, for which time is kept.
        spent: before the first trial; its wall time counts for the driver that begins the ledger.
    """

    def __init__(
        self,
        search: SearchConfig,
        slot_cpus: float = 0,
        num_slots: Callable[[], int] = lambda: 0,
        events: Sequence[Event] = (),
        reserve: Callable[[Trials], float] = lambda trials: 0.0,
        spent: Spent = NOTHING,
    ) -> None:
        self._num_trials = search.trials
        self._num_epochs = search.epoch_budget
        self._seconds = search.time_budget_s
        self._began: float | None = None
        self._core_s = search.core_budget_s
        if self._core_s is not None:
            self._core_s += _added_s(events)
        self._slot_cpus, self._num_slots = slot_cpus, num_slots
        self._used_core_s = slot_cpus * SlotSeconds(events).total + spent.core_s
        self._used_s = 0.0 if events else spent.wall_s
        self._counted: float | None = None
        self._reserve = reserve

    @property
    def limited(self) -> bool:
        """Whether anything but the number of trials ends the search."""
        limits = (self._num_epochs, self._seconds, self._core_s)
        return any(limit is not None for limit in limits)

    def begin(self) -> None:
        """Note that a trial is started: time is counted from the first one on."""
        self._began = self._began or time.monotonic()
        self._counted = self._counted or self._began

    def add(self, command: Steered) -> None:
        """Add to the budget that ``command`` names, if it names one."""
        if command.action == "more-time" and self._seconds is not None:
            self._seconds += command.amount or 0.0
        if command.action == "more-core-time" and self._core_s is not None:
            self._core_s += command.amount or 0.0

    def all_proposed(self, trials: Trials) -> bool:
        """Tell whether there are as many trials as there shall be, failed ones included.

        A search that ends by a budget has none to come either if its last ones were copies: they
        take nothing of it.
        """
        if self.limited and _num_copies(trials) >= MAX_COPIES:
            return True
        return len(trials.records) >= self._num_trials + trials.num_added

    def spent(self, trials: Trials) -> str | None:
        """Name the budget that is used up, if any; that stops even the trials in flight."""
        if self._num_epochs is not None and trials.num_epochs >= self._num_epochs:
            return EPOCHS
        kept_s = self._kept(trials)
        if (left_s := self._time_left()) is not None and left_s <= kept_s:
            return TIME
        if (left_s := self._core_time_left()) is not None and left_s <= kept_s:
            return CORES
        return None

    def overspent(self, record: TrialRecord) -> bool:
        """Tell whether the published settings, which nothing else stops, have had their share."""
        limits = [self._seconds, self._core_s / max(1.0, self._slot_cpus) if self._core_s else None]
        most = min((s for s in limits if s is not None), default=math.inf)
        return record.published and record.train_s > MAX_PUBLISHED * most

    def left_s(self) -> float | None:
        """Seconds of wall time until the first of the budgets is used up; ``None``: no limit."""
        left = [s for s in (self._time_left(), self._core_time_left()) if s is not None]
        return max(0.0, min(left)) if left else None

    def account(self, trials: Trials) -> Account:
        """Tell what is spent and what is left, less what is kept for the end."""
        self._count()
        left = {TIME: self._time_left(), CORES: self._core_time_left()}
        known = {name: left_s for name, left_s in left.items() if left_s is not None}
        budget = min(known, key=lambda name: known[name], default="")
        epochs = self._num_epochs
        return Account(
            self._used_core_s,
            self._core_s,
            max(0.0, known[budget] - self._kept(trials)) if budget else None,
            budget,
            None if epochs is None else max(0, epochs - trials.num_epochs),
            self._slot_cpus * self._num_slots(),
        )

    def _kept(self, trials: Trials) -> float:
        """What is kept for the end, at most a third of a budget."""
        if self._seconds is None and self._core_s is None:
            return 0.0
        most = min(self._seconds or math.inf, (self._core_s or math.inf) / self._cpus())
        return min(self._reserve(trials), MAX_RESERVE * most)

    def _time_left(self) -> float | None:
        if self._seconds is None:
            return None
        used_s = time.monotonic() - self._began if self._began else 0.0
        return self._seconds - self._used_s - used_s

    def _core_time_left(self) -> float | None:
        """Wall time that the core budget still holds, with as many slots as there are now."""
        if self._core_s is None:
            return None
        self._count()
        return (self._core_s - self._used_core_s) / self._cpus()

    def _cpus(self) -> float:
        return max(1.0, self._slot_cpus * self._num_slots())

    def _count(self) -> None:
        """Add the core time since the last time; that is often, so slots may come and go."""
        if self._counted is not None:
            now = time.monotonic()
            self._used_core_s += self._slot_cpus * self._num_slots() * (now - self._counted)
            self._counted = now


def _added_s(events: Sequence[Event]) -> float:
    """The core time that was added while earlier drivers searched."""
    commands = (event.told(Steered) for event in events if event.event == "steered")
    return sum(one.amount or 0.0 for one in commands if one.action == "more-core-time")


def _num_copies(trials: Trials) -> int:
    """The trials since the last one that was not a copy of another."""
    latest = reversed(trials.records.values())
    return sum(1 for _ in takewhile(lambda record: record.copied_from is not None, latest))
