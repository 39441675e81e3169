"""Counts what a race has spent and found so far, from its systems' runs and its turns."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from raysearch.ledger import Event
from raysearch.race.race_record import RaceFolder, RaceState
from raysearch.race.standings import Seen, look
from raysearch.ray_cluster.session import ClusterSession
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import AuditedSplit, FeatureBank
from raysearch.trial_records import Trials
from raysearch.tuning.tuner import Bench
from raysearch.workers.pool import WorkerPool

__all__ = ["Accounts", "Clock", "Ground"]


@dataclass(frozen=True)
class Ground:
    """The data, the slots and the features that all turns of a race share.

    Attributes:
        specs: system to its settings.
        audited: the data, the same rows for all.
        session: the connected Ray.
        pool: the slots.
        banks: system to its features, of those that may still have a turn.
    """

    specs: Mapping[str, SearchSpec]
    audited: AuditedSplit
    session: ClusterSession
    pool: WorkerPool
    banks: Mapping[str, FeatureBank]

    def bench(self, system: str) -> Bench:
        """What the trials of ``system`` run on."""
        return Bench(self.banks[system], self.pool)

    @property
    def slot_cpus(self) -> float:
        """CPUs of one slot."""
        return self.pool.plan.workers * self.pool.plan.cpus_per_worker

    @property
    def num_slots(self) -> int:
        """Slots that are open; before the first one is, those that are planned."""
        return self.pool.num_open() or self.pool.plan.slots


class Clock:
    """Counts wall time and slots' time of a turn, from its first trial on as budgets do.

    Args:
        num_slots: how many are open; that may change.

    Attributes:
        began: when that was; None before.
    """

    def __init__(self, num_slots: Callable[[], int]) -> None:
        self._num_slots = num_slots
        self._counted, self._slot_s = 0.0, 0.0
        self.began: float | None = None

    def changed(self, trials: Trials, event: Event) -> None:
        """Count the time since the last event, as slots come and go; the first starts the clock."""
        self._count()
        self.began = self.began or self._counted

    @property
    def slot_s(self) -> float:
        """Seconds that all slots together were open since the clock started."""
        self._count()
        return self._slot_s

    def _count(self) -> None:
        now = time.monotonic()
        if self.began is not None:
            self._slot_s += self._num_slots() * (now - self._counted)
        self._counted = now


class Accounts:
    """Counts what the systems of a race have spent and found.

    Args:
        folder: the race's.
        state: its record, whose ``spent`` is kept up.
        ground: what its turns run on.

    Attributes:
        seen: system to what it has found.
    """

    def __init__(self, folder: RaceFolder, state: RaceState, ground: Ground) -> None:
        self._folder, self._state, self._ground = folder, state, ground
        self._began: float | None = None
        self.seen = {system: self._look(system) for system in state.systems}

    def used(self) -> dict[str, float]:
        """Return what all systems together have used; wall time counts for this driver alone."""
        used = [seen.used for seen in self.seen.values()]
        spent = self._state.spent
        return {
            # A turn that was killed is in the ledger only.
            "core_s": sum(
                max(spent.get(system, 0.0), seen.used["core_s"])
                for system, seen in self.seen.items()
            ),
            "wall_s": time.monotonic() - self._began if self._began else 0.0,
            "epochs": sum(one["epochs"] for one in used),
            "trials": sum(one["trials"] for one in used),
        }

    def note(self, system: str, clock: Clock) -> None:
        """Add what a turn took, and read what its system has found."""
        took = self._ground.slot_cpus * clock.slot_s
        self._state.spent[system] = self._state.spent.get(system, 0.0) + took
        self._began = self._began or clock.began
        self.look_again(system)

    def look_again(self, system: str) -> None:
        """Read anew what a system has found."""
        self.seen[system] = self._look(system)

    def _look(self, system: str) -> Seen:
        ground, num_inner = self._ground, 1 + len(self._ground.audited.inner)
        run, spec = self._folder.run(system), ground.specs[system]
        return look(system, run, spec, num_inner, ground.slot_cpus, ground.pool.num_open())
