"""How many slots each search gets of one Ray cluster that several searches share.

Ray gives resources to whoever asks first, and takes none back: a second search would wait for the
end of the first. Kueue and Slurm decide about whole jobs, which they start, hold back or stop. None
of them makes a running search smaller by a few slots, whose trials then go on elsewhere from their
checkpoints, and larger again. This is all that is done here; queues of jobs, quotas of users and
the nodes themselves stay theirs.

Priorities come first. Among searches of one priority the next slot goes to the one that has the
smallest part of the cluster, a part being the largest of its shares of CPUs and GPUs: dominant
resource fairness (Ghodsi et al., NSDI 2011). Nothing is reserved that is not used, and a slot is
given whole or not at all, so searches cannot wait for each other's halves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raysearch.ray_cluster.resources import Node, Plan, workers_on

__all__ = ["Claim", "Grant", "divide"]


@dataclass(frozen=True, slots=True)
class Claim:
    """What one search asks the slot broker for.

    Attributes:
        search: its name.
        priority: higher ones come first.
        share: the largest part of the cluster that it takes; one slot is always allowed.
        plan: the slots that it can use at most, and what each needs.
        held: slots that it cannot give up before it ends.
        arrived: counts the searches; earlier ones come first among equals.
    """

    search: str
    priority: int
    share: float
    plan: Plan
    held: int
    arrived: int


@dataclass(frozen=True, slots=True)
class Grant:
    """What the slot broker grants to a search.

    Attributes:
        slots: how many it may have open.
        reason: why it has to wait, if it gets none.
    """

    slots: int
    reason: str = ""


def divide(claims: Sequence[Claim], nodes: Sequence[Node]) -> Mapping[str, Grant]:
    """Share the slots that ``nodes`` have room for among the searches.

    Args:
        claims: one a search.
        nodes: what there is, and what an autoscaler would add.

    Returns:
        A grant for every search; the slots of all fit side by side.
    """
    cluster = _Cluster(nodes)
    granted = {claim.search: 0 for claim in claims}
    order = sorted(claims, key=lambda claim: (-claim.priority, claim.arrived))
    for claim in order:  # what cannot be given up comes first, whoever has it
        while granted[claim.search] < claim.held and cluster.take(claim.plan):
            granted[claim.search] += 1
    for priority in sorted({claim.priority for claim in claims}, reverse=True):
        hungry = [claim for claim in order if claim.priority == priority]
        while hungry:
            claim = min(hungry, key=lambda c: (cluster.part(c.plan, granted[c.search]), c.arrived))
            if _full(claim, granted[claim.search], cluster) or not cluster.take(claim.plan):
                hungry.remove(claim)
            else:
                granted[claim.search] += 1
    return {c.search: Grant(granted[c.search], _reason(c, order, granted)) for c in claims}


def _full(claim: Claim, slots: int, cluster: "_Cluster") -> bool:
    if slots >= claim.plan.slots:
        return True
    return slots > 0 and cluster.part(claim.plan, slots + 1) > claim.share + 1e-9


def _reason(claim: Claim, order: Sequence[Claim], granted: Mapping[str, int]) -> str:
    if granted[claim.search]:
        return ""
    users = [
        f"{other.search} ({granted[other.search]})" for other in order if granted[other.search]
    ]
    need = claim.plan.describe_slot()
    if not users:
        return f"waiting for a node that has room for a slot ({need})"
    place = 1 + sum(not granted[c.search] for c in order[: order.index(claim)])
    return (
        f"waiting in the queue, place {place}: the slots that the cluster has room for are used by "
        f"{', '.join(users)}; it needs {need}"
    )


class _Cluster:
    """Nodes that are filled up, worker by worker."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._free = [[node.cpus, node.gpus] for node in nodes]
        self._cpus = sum(node.cpus for node in nodes)
        self._gpus = sum(node.gpus for node in nodes)

    def part(self, plan: Plan, slots: int) -> float:
        """Return the larger one of the shares, of CPUs and of GPUs, that ``slots`` slots take."""
        cpus = slots * plan.workers * plan.cpus_per_worker / self._cpus if self._cpus else 1.0
        gpus = slots * plan.workers * plan.gpus_per_worker / self._gpus if self._gpus else 0.0
        return max(cpus, gpus)

    def take(self, plan: Plan) -> bool:
        """Place one slot's workers, as few as it can do with or none.

        Returns:
            Whether there was room.
        """
        free = [list(node) for node in self._free]
        missing = plan.most_workers
        for node in free:
            number = min(
                missing, workers_on(Node(*node), plan.cpus_per_worker, plan.gpus_per_worker)
            )
            node[0] -= number * plan.cpus_per_worker
            node[1] -= number * plan.gpus_per_worker
            missing -= number
        if plan.most_workers - missing < plan.workers:
            return False
        self._free = free
        return True
