"""The actor that tells each search on a Ray cluster how many slots it may have open.

Ray has no such broker: its jobs know nothing of each other, and neither Kueue nor Slurm looks
inside a cluster that is up. :mod:`raysearch.ray_cluster.fair_share` is how it decides, and says
what is left to those three.

There is one on a cluster: a detached actor, which outlives the search that started it, and imports
no torch.
"""

import time
from dataclasses import replace
from typing import Any

import ray

from raysearch.ray_cluster.autoscaler import possible_nodes
from raysearch.ray_cluster.fair_share import Claim, Grant, divide
from raysearch.ray_cluster.ray_internals import HEAD_RESOURCE, draining_node_ids
from raysearch.ray_cluster.resources import cluster_nodes

__all__ = ["SlotBroker", "living_nodes", "slot_broker"]

# Searches of different versions understand each other as long as this name is the same. It changes
# whenever the broker or a claim is defined in another module, as Ray finds classes by module.
NAME = "raysearch-slot-broker-1"
NAMESPACE = "raysearch"
ON_HEAD = {HEAD_RESOURCE: 0.001}
# A search that was not heard of for so long has ended without a word.
SILENT_S = 30.0


def living_nodes() -> list[dict[str, Any]]:
    """Return the entries of ``ray.nodes()`` on which something new can be placed."""
    leaving = draining_node_ids()
    return [n for n in ray.nodes() if n["Alive"] and n["NodeID"] not in leaving]


class SlotBroker:
    """Answers the searches of a cluster.

    They ask every two seconds, so a new broker soon knows all that a dead one knew.
    """

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self._heard: dict[str, float] = {}
        self._num_arrived = 0

    def ask(self, claim: Claim) -> Grant:
        """Grant slots to the search of ``claim``; that it asks is also the sign that it lives."""
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
        """Forget ``search``, which has ended."""
        self._claims.pop(search, None)
        self._heard.pop(search, None)


def slot_broker() -> Any:
    """Return the handle of the cluster's broker, which is started if there is none."""
    # Only on the head is it known which nodes the autoscaler would add.
    return (
        ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=3, resources=ON_HEAD)(SlotBroker)
        .options(name=NAME, namespace=NAMESPACE, lifetime="detached", get_if_exists=True)
        .remote()
    )
