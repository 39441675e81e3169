"""How large a search's pool may be, and the pool of that size."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from raysearch.ray_cluster.autoscaler import possible_nodes
from raysearch.ray_cluster.fair_share import Claim
from raysearch.ray_cluster.ray_internals import estimate_available_memory
from raysearch.ray_cluster.resources import Node, Plan, cluster_nodes, plan_slots
from raysearch.ray_cluster.session import ClusterSession
from raysearch.ray_cluster.slot_broker import living_nodes
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.workers.pool import WorkerPool
from raysearch.workers.pool_sizer import PoolSizer
from raysearch.workers.slot_news import Hearing, SlotNews, unheard

__all__ = ["open_pool", "plan_for", "start_pool", "within_memory"]

# Measured by tests/benchmarks/memory_per_slot.py. Beside the driver: Ray Train's controller, what
# its ranks meet by, the host, the trial's proxy. On the workers' nodes: one worker with a small
# model.
HEAD_BYTES, WORKER_BYTES = 0.45e9, 0.82e9


def plan_for(spec: SearchSpec, nodes: Sequence[Node], *, growing: bool = False) -> Plan:
    """Plan how the search uses ``nodes``; raises ResourceError where it can never fit."""
    search = spec.search
    return plan_slots(
        nodes,
        workers=search.workers,
        cpus_per_worker=search.cpus_per_worker,
        gpus_per_worker=search.gpus_per_worker,
        slots=search.slots,
        trials=search.trials,
        growing=growing,
        max_workers=search.max_workers,
    )


def within_memory(
    plan: Plan, free_bytes: float, *, local: bool, asked: bool = False
) -> tuple[Plan, str]:
    """Cut the plan to the slots that this machine has memory for, but at least to one.

    Args:
        plan: what CPUs and GPUs have room for.
        free_bytes: of this machine's memory.
        local: the workers run here, too.
        asked: the number of slots was asked for, and stays.

    Returns:
        The plan, and a line for the user; empty if nothing was cut.
    """
    # A group that may grow takes the CPUs that fewer slots leave free.
    each = HEAD_BYTES + (plan.most_workers * WORKER_BYTES if local else 0.0)
    room = max(1, int(free_bytes / each))
    if plan.slots <= room:
        return plan, ""
    need = f"a slot takes about {each / 1e9:.1f} GB of this machine's memory beside its model"
    have = f"{free_bytes / 1e9:.1f} GB are free"
    if asked:
        line = f"{plan.slots} slots may be more than fit: {need}, and {have}; see --slots"
        return plan, line
    return replace(plan, slots=room), f"slots: {room} of {plan.slots}, as {need}, and {have}"


@contextmanager
def open_pool(
    spec: SearchSpec,
    run: RunFolder,
    session: ClusterSession,
    say: Callable[[str], None],
    hear: Hearing = unheard,
) -> Iterator[WorkerPool]:
    """Open the search's worker groups for the duration of a ``with``.

    On a private Ray there are as many as fit; on a cluster, which others use, too, as many as it
    lets this search have, now none and then more. ``hear`` is told what becomes of each.
    """
    living = cluster_nodes(living_nodes())
    nodes = living if session.local else possible_nodes(living)
    plan, search = plan_for(spec, nodes, growing=not session.local), spec.search
    free_bytes, asked = estimate_available_memory(), search.slots is not None
    wanted = plan.slots
    plan, line = within_memory(plan, free_bytes, local=session.local, asked=asked)
    if line:
        say(line)
    if plan.slots < wanted:
        hear(SlotNews(None, "cut", line))
    name = f"{run.root.name}-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="raysearch-", ignore_cleanup_errors=True) as scratch:
        pool = WorkerPool(
            plan,
            name,
            Path(scratch),
            max_attempts=search.max_attempts,
            hang_s=search.hang_s,
            elastic=not session.local,
            say=say,
            hear=hear,
        )
        claim = Claim(name, search.priority, search.share, plan, held=0, arrived=0)
        try:
            with nullcontext() if session.local else PoolSizer(pool, claim, say, hear):
                yield pool
        finally:
            pool.close()


@contextmanager
def start_pool(
    spec: SearchSpec, run: RunFolder, session: ClusterSession, say: Callable[[str], None]
) -> Iterator[WorkerPool]:
    """Open a pool of a fixed size for a ``with``, and wait for all of its workers."""
    with open_pool(spec, run, session, say) as pool:
        pool.wait_for(1, say)
        pool.wait_for(pool.freeze(), say)
        yield pool
