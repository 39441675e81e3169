"""The pool of warm worker groups, one a slot, held by the driver.

Its size is live: slots open, close when idle, and are vacated when their node or their share of a
cluster goes; a vacated slot's trial goes on elsewhere, from the checkpoint that it published.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

import ray
from ray.exceptions import RayActorError, RayError

from raysearch.errors import InfrastructureError
from raysearch.ray_cluster.ray_internals import get_or_create_autoscaling_coordinator
from raysearch.ray_cluster.resources import Plan
from raysearch.streaming.node_cache import SlotCaches
from raysearch.workers.booked_trial import BookedTrial
from raysearch.workers.deadlines import SHORT_S, Deadlines
from raysearch.workers.epoch_report import EpochReport, lost_with_host
from raysearch.workers.slot import Slot
from raysearch.workers.slot_news import Hearing, SlotNews, unheard
from raysearch.workers.trial_task import TrialTask

__all__ = ["REST_SECONDS", "WorkerPool"]

START_TIMEOUT_S = 900.0
ANSWER_S = 10.0
MAX_LOSSES = 5
# A slot's pauses while its storage is full or away: one that stays so costs half a minute.
REST_SECONDS = (2.0, 4.0, 8.0, 16.0)


class WorkerPool:
    """Opens slots, keeps them warm and closes them.

    Args:
        plan: the most slots, and what each worker gets.
        name: prefix of the actors' and runs' names.
        scratch: a folder of this machine, for what Ray Train insists on keeping.
        max_attempts: starts of one trial before it has failed.
        elastic: begin with no slot and follow ``resize``; a lost slot will be replaced.
        rejoin_s: how long an elastic pool's slot may be without its workers before it is lost.
        hang_s: the least that a worker may take before it counts as hung; three times as long for
            what little is known of.
        say: takes a line for the user when a slot rests or is given up.
        hear: takes what becomes of the slots.

    Attributes:
        plan, elastic: as given; a pool that is closing is no longer elastic.
        limit: slots that have something to do.
        slots: all that were ever opened, by index.
    """

    def __init__(
        self,
        plan: Plan,
        name: str,
        scratch: Path,
        *,
        max_attempts: int = 3,
        elastic: bool = False,
        rejoin_s: float = 120.0,
        hang_s: float = SHORT_S,
        say: Callable[[str], None] = lambda line: None,
        hear: Hearing = unheard,
    ) -> None:
        self.plan, self.limit = plan, plan.slots
        self._name = name
        self._scratch = scratch
        self._max_attempts, self._rejoin_s = max_attempts, rejoin_s if elastic else None
        self._deadlines = Deadlines(hang_s, 3 * hang_s)
        self.elastic = elastic
        self._losses, self._say, self._hear, self._caches = 0, say, hear, SlotCaches()
        self._joined: set[int] = set()
        self._lock = threading.RLock()
        self.slots: list[Slot] = []
        if not elastic:
            # Each controller of Ray Train asks it first of all; so it starts beside them.
            get_or_create_autoscaling_coordinator()
            self.resize(plan.slots)
            # One machine: its cache starts beside the slots, not before the first trial.
            here = {ray.get_runtime_context().get_node_id()}
            for slot in self.slots:
                self._caches.use(slot.index, here)

    def resize(
        self, num_slots: int, reason: str = "its share of the cluster became smaller"
    ) -> None:
        """Open slots up to ``num_slots``, or close or vacate what is above it, the idle first."""
        with self._lock:
            num_slots = min(num_slots, self.limit)
            staying = [slot for slot in self.slots if slot.staying]
            for index in range(len(self.slots), len(self.slots) + num_slots - len(staying)):
                self.slots.append(self._opened(index))
            staying.sort(key=lambda slot: (slot.busy, slot.ready, -slot.index))
            for slot in staying[: max(0, len(staying) - num_slots)]:
                self._vacate(slot, reason)
            self._end_caches()

    def follow(self, num_slots: int) -> None:
        """Resize the pool, unless it is no longer elastic."""
        with self._lock:
            if self.elastic:
                self.resize(num_slots)

    def freeze(self) -> int:
        """Keep the slots that are open to the end.

        Returns:
            How many those are.
        """
        with self._lock:
            self.elastic = False
            return self.num_open()

    def vacate_nodes(self, nodes: set[str]) -> None:
        """Vacate the slots that have a worker on one of ``nodes``, which are going away."""
        for slot in [slot for slot in self.slots if slot.staying and slot.ready]:
            with contextlib.suppress(RayError):  # a dead host's trial will tell
                if nodes & set(ray.get(slot.host.workers.remote(), timeout=ANSWER_S)):
                    with self._lock:
                        self._vacate(slot, "its node is being taken away")

    def note_workers(self) -> None:
        """Record each slot's worker processes, as a host may die while one of them hangs."""
        for slot in [slot for slot in self.slots if slot.staying and slot.ready]:
            with contextlib.suppress(RayError):  # a dead host's trial will tell
                slot.note_workers(ANSWER_S)

    def wait_for(
        self,
        num_slots: int,
        say: Callable[[str], None],
        *,
        stopped: Callable[[], bool] = lambda: False,
        timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        """Return as soon as all workers of ``num_slots`` slots have joined, or it is ``stopped``.

        A search that shares a cluster waits for its turn, and for nodes, for as long as it takes.

        Raises:
            InfrastructureError: too few came up in time; the message says what was waited for.
        """
        said = time.monotonic()
        while len(self.free()) < num_slots and not stopped():
            time.sleep(0.1)
            now = time.monotonic()
            pending = [slot for slot in self.slots if slot.staying and not slot.ready]
            if not pending or now - said < 30.0:
                continue
            said, waited = now, now - min(slot.opened for slot in pending)
            free = ray.available_resources()
            state = (
                f"workers of {self.plan.resources_per_worker} are not up after {waited:.0f} s; "
                f"free in the cluster: {free.get('CPU', 0):g} CPU, {free.get('GPU', 0):g} GPU"
            )
            if waited > timeout_s and not self.elastic:
                raise InfrastructureError(state)
            say(f"still starting: {state}")

    def free(self) -> list[int]:
        """Return the open slots that could take a trial now."""
        with self._lock:
            idle = [s for s in self.slots if s.staying and not s.busy and s.ready]
            for index in {slot.index for slot in idle} - self._joined:
                self._joined.add(index)
                self._hear(SlotNews(index, "free"))
            return [s.index for s in idle if s.rests_until <= time.monotonic()]

    def num_open(self) -> int:
        """Slots that are up, or on their way."""
        return sum(slot.staying for slot in self.slots)

    def num_up(self) -> int:
        """Slots whose workers have joined."""
        return sum(slot.staying and slot.ready for slot in self.slots)

    def claim(self, avoid: AbstractSet[int] = frozenset()) -> int | None:
        """Take a free slot, none of ``avoid``, for a trial; None if there is none."""
        with self._lock:  # between finding and taking it, it could be closed
            free = [slot for slot in self.free() if slot not in avoid]
            if not free:
                return None
            self.slots[free[0]].busy = True
            return free[0]

    def alive(self, slot: int) -> bool:
        """Tell whether the host of ``slot`` answers."""
        try:
            ray.get(self.slots[slot].host.workers.remote(), timeout=ANSWER_S)
        except RayError:
            return False
        return True

    def release(self, slot: int) -> None:
        """Give ``slot`` back: its trial has ended, or none came."""
        with self._lock:
            taken = self.slots[slot]
            taken.busy = False
            taken.num_rests = 0
            self._losses = 0
            if taken.leaving:
                taken.close()
            self._hear(SlotNews(slot, "closed" if taken.leaving else "free"))
            self._end_caches()

    def rest(self, slot: int, reason: str) -> bool:
        """Give ``slot`` back for a while, unless that never helps: then it is lost."""
        with self._lock:
            taken = self.slots[slot]
            if taken.num_rests == len(REST_SECONDS) or taken.leaving:
                return self.lose(slot, reason)
            pause = REST_SECONDS[taken.num_rests]
            taken.busy, taken.num_rests = False, taken.num_rests + 1
            taken.rests_until = time.monotonic() + pause
            self._say(f"slot {slot} rests for {pause:g} s: {reason}")
            self._hear(SlotNews(slot, "resting", reason, until=taken.rests_until))
            return True

    def lose(self, slot: int, reason: str) -> bool:
        """Give ``slot`` back for good.

        Returns:
            Whether other slots are left, or will come.
        """
        with self._lock:
            taken = self.slots[slot]
            taken.busy = False
            if not taken.leaving:
                self._losses += 1
                self._say(f"slot {slot} takes no more trials: {reason}")
            taken.close()
            self._hear(SlotNews(slot, "closed", "" if taken.leaving else reason))
            self._end_caches()
            will_come = self.elastic and self._losses <= MAX_LOSSES
            return will_come or any(s.staying for s in self.slots)

    def let_go(self, slot: int, number: int) -> None:
        """Have ``slot`` publish the checkpoint of trial ``number`` instead of its next epoch."""
        with contextlib.suppress(RayError):  # a dead host's trial will tell
            ray.get(self.slots[slot].host.let_go.remote(number), timeout=ANSWER_S)

    def assign(self, slot: int, task: TrialTask) -> BookedTrial:
        """Tell ``slot`` its next trial, which whoever holds what is returned then runs."""
        taken = self.slots[slot]
        with contextlib.suppress(RayError):  # a dead host's trial will tell
            nodes = set(taken.note_workers(ANSWER_S))
            with self._lock:
                self._caches.use(slot, nodes)
        if not taken.leaving:  # it may have been vacated meanwhile, which was told
            self._hear(SlotNews(slot, "training", number=task.number))
        return BookedTrial(task.number, task.label, taken.host_name, taken.assign(task))

    def run(self, slot: int, task: TrialTask) -> Iterator[EpochReport]:
        """Train ``task`` on ``slot``, each epoch when its report is asked for.

        Yields:
            As :meth:`~raysearch.workers.booked_trial.BookedTrial.run`; a slot whose host dies has
            the report of a lost slot.
        """
        try:
            yield from self.assign(slot, task).run()
        except RayActorError:
            yield lost_with_host(task)

    def close_idle(self) -> None:
        """Close all slots but as many as there are trials in flight, as no other trial will come.

        A slot without a trial stays if one is to come, from a slot that is being vacated.
        """
        with self._lock:
            self.limit = sum(slot.busy for slot in self.slots)
            self.resize(min(self.num_open(), self.limit), "no trial is left for it")

    def close(self, timeout_s: float = 20.0) -> None:
        """Let all workers go, wait for the fits to return, and end the hosts."""
        with self._lock:
            self.elastic = False
            for slot in self.slots:
                slot.close()
            self._caches.keep(())
        deadline = time.monotonic() + timeout_s
        for slot in self.slots:
            slot.end(max(0.0, deadline - time.monotonic()))

    def _vacate(self, slot: Slot, reason: str) -> None:
        slot.vacate(reason)
        self._hear(SlotNews(slot.index, "leaving" if slot.busy else "closed", reason))

    def _opened(self, index: int) -> Slot:
        self._hear(SlotNews(index, "starting"))
        return Slot(
            index,
            self._name,
            self.plan,
            self._scratch,
            max_attempts=self._max_attempts,
            rejoin_s=self._rejoin_s,
            deadlines=self._deadlines,
        )

    def _end_caches(self) -> None:
        """Let the caches go of nodes where no slot is left."""
        self._caches.keep({slot.index for slot in self.slots if slot.staying or slot.busy})
