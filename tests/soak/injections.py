"""What is done to a search while it runs: each fault a function that does it and undoes it."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import processes

if TYPE_CHECKING:
    from stage import Stage

__all__ = ["FAULTS", "Injection", "Injector", "NothingToHitError"]

OUTAGE_S = 10.0

# What it hit, in a word.
Fault = Callable[["Stage", random.Random], str]


class NothingToHitError(Exception):
    """No process of that kind runs at this moment."""


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault, as it was injected.

    Attributes:
        kind: of ``FAULTS``.
        what: was hit.
        begun, over: seconds since the soak began; for a rank that hangs, that was its beginning.
        ended: trials that had ended before it.
        hung: the process that was stopped, else 0.
    """

    kind: str
    what: str
    begun: float
    over: float
    ended: int
    hung: int = 0


def _one_of(role: str, chance: random.Random) -> int:
    pids = processes.running(role)
    if not pids:
        raise NothingToHitError(role)
    return chance.choice(pids)


def worker_killed(stage: "Stage", chance: random.Random) -> str:
    """One rank dies; Ray Train starts its group again."""
    del stage
    pid = _one_of(processes.WORKER, chance)
    processes.kill(pid)
    return f"{pid}"


def host_killed(stage: "Stage", chance: random.Random) -> str:
    """The actor between a trial and its workers dies; its slot is lost, and another opens."""
    del stage
    pid = _one_of(processes.HOST, chance)
    processes.kill(pid)
    return f"{pid}"


def node_killed(stage: "Stage", chance: random.Random) -> str:
    """A machine is gone with all that ran there, and another comes."""
    del chance
    node = stage.kill_node()
    stage.add_node()
    return node


def store_refuses(stage: "Stage", chance: random.Random) -> str:
    """The store answers 403 for a while."""
    del chance
    return _outage(stage, HTTPStatus.FORBIDDEN)


def store_breaks(stage: "Stage", chance: random.Random) -> str:
    """The store answers 500 for a while."""
    del chance
    return _outage(stage, HTTPStatus.INTERNAL_SERVER_ERROR)


def disk_full(stage: "Stage", chance: random.Random) -> str:
    """Nothing can be written to the disk for a while."""
    del chance
    with stage.disk.full():
        time.sleep(OUTAGE_S)
    return f"{OUTAGE_S:g} s"


def rank_hung(stage: "Stage", chance: random.Random) -> str:
    """One rank stands still; the search itself has to end it."""
    del stage
    pid = _one_of(processes.WORKER, chance)
    processes.stop(pid)
    return f"{pid}"


def _outage(stage: "Stage", status: HTTPStatus) -> str:
    before = stage.store.num_refused
    with stage.store.answering(status):
        time.sleep(OUTAGE_S)
    return f"{stage.store.num_refused - before} requests"


FAULTS: dict[str, Fault] = {
    "worker killed": worker_killed,
    "host killed": host_killed,
    "store 403": store_refuses,
    "disk full": disk_full,
    "rank hung": rank_hung,
    "node killed": node_killed,
    "store 500": store_breaks,
}


class Injector:
    """Goes round the faults, each round in an order of its own.

    Args:
        stage: where the search runs.
        every_s: seconds from one fault to the next.
        seed: of the order, and of what is hit.
        begun: when the soak began, of ``time.monotonic()``.

    Attributes:
        injections: so far.
    """

    def __init__(self, stage: "Stage", every_s: float, seed: int, begun: float) -> None:
        self._stage, self._every_s, self._begun = stage, every_s, begun
        self._chance = random.Random(seed)
        self._kinds = itertools.chain.from_iterable(self._rounds())
        self._due = time.monotonic() + every_s
        self._next: str | None = None
        self.injections: list[Injection] = []

    def _rounds(self) -> Iterator[list[str]]:
        while True:
            yield self._chance.sample(list(FAULTS), len(FAULTS))

    def wait(self) -> None:
        """Not yet: the first fault comes so many seconds from now."""
        self._due = time.monotonic() + self._every_s

    def poll(self, ended: int) -> Injection | None:
        """Inject the next fault if it is time, and undo it.

        A kind that finds nothing to hit, as while all groups start again, is next in line still.

        Args:
            ended: trials that have ended so far.
        """
        if time.monotonic() < self._due:
            return None
        kind = self._next = self._next or next(self._kinds)
        begun = time.monotonic()
        try:
            what = FAULTS[kind](self._stage, self._chance)
        except NothingToHitError:
            return None
        self._next = None
        self._due = max(self._due + self._every_s, time.monotonic())
        hung = int(what) if FAULTS[kind] is rank_hung else 0
        since = (begun - self._begun, time.monotonic() - self._begun)
        self.injections.append(Injection(kind, what, *since, ended, hung))
        return self.injections[-1]
