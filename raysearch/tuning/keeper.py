"""Keeps a pool as large as a shared cluster lets it be, and away from nodes that are leaving."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ray
from ray._private.state import state as ray_state
from ray.exceptions import RayError

from raysearch.tuning.admission import Claim, Grant, divide
from raysearch.tuning.pool import WorkerPool
from raysearch.tuning.resources import cluster_nodes, possible_nodes

__all__ = ["Admission", "Keeper", "draining_nodes", "living_nodes"]

logger = logging.getLogger("ray.raysearch")

# Searches of different versions understand each other as long as this name is the same.
NAME = "raysearch-admission-1"
NAMESPACE = "raysearch"
POLL_S = 2.0
# A search that was not heard of for so long has ended without a word.
SILENT_S = 30.0


def draining_nodes() -> set[str]:
    """Ids of the nodes that were told to leave: a spot notice, or the autoscaler's wish."""
    return set(ray_state.get_draining_nodes() or {})


def living_nodes() -> list[dict[str, Any]]:
    """The entries of ``ray.nodes()`` on which something new can be placed."""
    leaving = draining_nodes()
    return [n for n in ray.nodes() if n["Alive"] and n["NodeID"] not in leaving]


class Admission:
    """The cluster's one desk where searches ask for slots; a detached actor.

    It holds nothing that would be missed: whoever lives asks again within seconds.
    """

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._heard: dict[str, float] = {}
        self._num_arrived = 0

    def ask(self, claim: Claim) -> Grant:
        """What the search gets now; its word is also the sign that it lives."""
        now = time.monotonic()
        if claim.search not in self._claims:
            self._num_arrived += 1
            claim = replace(claim, arrived=self._num_arrived)
        else:
            claim = replace(claim, arrived=self._claims[claim.search].arrived)
        self._claims[claim.search], self._heard[claim.search] = claim, now
        for search in [s for s, heard in self._heard.items() if now - heard > SILENT_S]:
            self.leave(search)
        nodes = possible_nodes(cluster_nodes(living_nodes()))
        return divide(list(self._claims.values()), nodes)[claim.search]

    def leave(self, search: str) -> None:
        """The search has ended."""
        self._claims.pop(search, None)
        self._heard.pop(search, None)


class Keeper:
    """While the ``with`` lasts, a thread asks for slots and sizes the pool.

    Args:
        pool: an elastic one.
        claim: what the search asks for; its ``held`` and ``arrived`` are filled in here.
        say: takes a line for the user, when the search has to wait and when it no longer has.
    """

    def __init__(self, pool: WorkerPool, claim: Claim, say: Callable[[str], None]) -> None:
        self._pool, self._claim, self._say = pool, claim, say
        self._said = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="pool keeper", daemon=True)

    def __enter__(self) -> "Keeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        try:
            ray.get(_desk().leave.remote(self._claim.search), timeout=10)
        except RayError as error:
            logger.warning("leaving the queue: %s", error)  # it will notice by itself

    def _keep(self) -> None:
        while not self._done.is_set():
            try:
                self._once()
            except Exception as error:
                # The desk's node may just have gone: the pool stays as it is until it is back.
                logger.warning("asking for slots: %s", error)
            self._done.wait(POLL_S)

    def _once(self) -> None:
        if leaving := draining_nodes():
            self._pool.vacate_nodes(leaving)
        if not self._pool.limit:
            return  # nothing is left to do
        held = 0 if self._pool.elastic else self._pool.num_open()
        plan = replace(self._claim.plan, slots=self._pool.limit)
        claim = replace(self._claim, plan=plan, held=held)
        grant: Grant = ray.get(_desk().ask.remote(claim), timeout=30)
        if self._done.is_set() or not self._pool.elastic:
            return
        if grant.reason != self._said:
            self._said = grant.reason
            self._say(grant.reason or "no longer waiting")
        self._pool.resize(grant.slots)


def _desk() -> Any:
    actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=3)(Admission)
    return actor.options(
        name=NAME, namespace=NAMESPACE, lifetime="detached", get_if_exists=True
    ).remote()
