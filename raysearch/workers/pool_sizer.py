"""Keeps a pool as large as a shared cluster lets it be, and away from nodes that are leaving.

Neither Ray nor Kueue nor Slurm can do this for a search. They know its processes, not its slots:
which one is idle, which can be given up, and that a trial goes on elsewhere from a checkpoint that
its slot publishes first. So the search asks the slot broker for a number, and acts on it itself.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

import ray
from ray.exceptions import RayError

from raysearch.ray_cluster.fair_share import Claim, Grant
from raysearch.ray_cluster.ray_internals import draining_node_ids
from raysearch.ray_cluster.slot_broker import slot_broker
from raysearch.workers.pool import WorkerPool
from raysearch.workers.slot_news import Hearing, SlotNews, unheard

__all__ = ["PoolSizer", "further"]

logger = logging.getLogger("ray.raysearch")

POLL_S = 2.0


class PoolSizer:
    """Asks the slot broker for slots and sizes the pool, by a thread, while the ``with`` lasts.

    Args:
        pool: an elastic one.
        claim: what the search asks for; its ``held`` and ``arrived`` are filled in here.
        say: takes a line for the user, when the search has to wait and when it no longer has.
        hear: takes what it waits for, also when it has some of its slots.
    """

    def __init__(
        self,
        pool: WorkerPool,
        claim: Claim,
        say: Callable[[str], None],
        hear: Hearing = unheard,
    ) -> None:
        self._pool, self._claim, self._say, self._hear = pool, claim, say, hear
        self._said = self._heard = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow_grants, name="pool sizer", daemon=True)

    def __enter__(self) -> "PoolSizer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        try:
            ray.get(slot_broker().leave.remote(self._claim.search), timeout=10)
        except RayError as error:
            logger.warning("leaving the queue: %s", error)  # it will notice by itself

    def _follow_grants(self) -> None:
        while not self._done.is_set():
            try:
                self._ask_and_resize()
            except Exception as error:
                # The broker's node may just have gone: the pool stays as it is until it is back.
                logger.warning("asking for slots: %s", error)
            self._done.wait(POLL_S)

    def _ask_and_resize(self) -> None:
        if self._pool.elastic and (leaving := draining_node_ids()):
            self._pool.vacate_nodes(leaving)
        self._pool.note_workers()
        if not self._pool.limit:
            return  # nothing is left to do
        held = 0 if self._pool.elastic else self._pool.num_open()
        plan = replace(self._claim.plan, slots=self._pool.limit)
        claim = replace(self._claim, plan=plan, held=held)
        grant: Grant = ray.get(slot_broker().ask.remote(claim), timeout=30)
        if self._done.is_set():
            return
        if grant.reason != self._said:
            self._said = grant.reason
            self._say(grant.reason or "no longer waiting")
        waits_for = grant.reason or further(plan.slots - grant.slots)
        if waits_for != self._heard:
            self._heard = waits_for
            self._hear(SlotNews(None, "waiting", waits_for))
        self._pool.follow(grant.slots)


def further(num_slots: int) -> str:
    """Say that so many slots wait, beside those that the search has; empty for none."""
    if num_slots <= 0:
        return ""
    slots = "1 more slot waits" if num_slots == 1 else f"{num_slots} more slots wait"
    return f"{slots} for room in the cluster"
