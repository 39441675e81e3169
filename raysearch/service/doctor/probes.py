"""One actor a node that answers for it, all nodes side by side; who hangs is left out."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ray
from ray import cloudpickle
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raysearch.ray_cluster.ray_internals import HEAD_RESOURCE
from raysearch.service.doctor import node_probe
from raysearch.service.doctor.facts import RayNode
from raysearch.service.doctor.node_findings import Offset
from raysearch.service.doctor.node_probe import NodeProbe

__all__ = ["Probes", "named_nodes", "probes_on"]

GIB = 2**30
CLOCK_TRIES = 5


def named_nodes(ray_nodes: Sequence[Mapping[str, Any]]) -> list[RayNode]:
    """Return those of ``ray.nodes()`` that live, the head first, each with a name of its own."""
    living = [node for node in ray_nodes if node["Alive"]]
    living.sort(key=lambda node: HEAD_RESOURCE not in node["Resources"])
    hosts = [node["NodeManagerHostname"] for node in living]
    addresses = [node["NodeManagerAddress"] for node in living]
    found = []
    for node, host, address in zip(living, hosts, addresses, strict=True):
        name = host if hosts.count(host) == 1 else address
        if addresses.count(address) > 1:
            name = f"{address} ({node['NodeID'][:6]})"
        offer = node["Resources"]
        found.append(
            RayNode(
                id=node["NodeID"],
                name=name,
                address=address,
                cpus=offer.get("CPU", 0.0),
                gpus=offer.get("GPU", 0.0),
                object_store_gib=offer.get("object_store_memory", 0.0) / GIB,
                raylet_port=node["NodeManagerPort"],
            )
        )
    return found


class Probes:
    """The nodes that still answer.

    Attributes:
        nodes: by name.
        lost: why a node answers no more, by name.
    """

    def __init__(self, nodes: Sequence[RayNode], timeout_s: float) -> None:
        self.nodes = {node.name: node for node in nodes}
        self.lost: dict[str, str] = {}
        self.timeout_s = timeout_s
        self._actors = {node.name: _actor(node) for node in nodes}

    def ask(
        self,
        method: str,
        arguments: Callable[[RayNode], Sequence[Any]] = lambda node: (),
        among: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Call ``method`` of ``NodeProbe`` on all nodes at once; those that fail are left out."""
        names = [name for name in (self.nodes if among is None else among) if name in self.nodes]
        asked = {}
        for name in names:
            call = getattr(self._actors[name], method)
            asked[call.remote(*arguments(self.nodes[name]))] = name
        ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=self.timeout_s)
        for reference in late:
            self._lose(asked[reference], f"no answer within {self.timeout_s:g} s")
        answers = {}
        for reference in ready:
            try:
                answers[asked[reference]] = ray.get(reference)
            except RayError as error:
                self._lose(asked[reference], _line(error))
        return {name: answers[name] for name in names if name in answers}

    def clocks(self) -> dict[str, Offset]:
        """Each node's clock less ours, half the round trip taken off, the fastest trip of a few."""
        offsets: dict[str, Offset] = {}
        for name in list(self.nodes):
            for _ in range(CLOCK_TRIES):
                before, started = time.time(), time.monotonic()
                answer = self.ask("clock", among=[name])
                if name not in answer:
                    break
                half = (time.monotonic() - started) / 2
                offset = Offset(answer[name] - (before + half), half)
                known = offsets.get(name)
                if known is None or half < known.uncertainty_s:
                    offsets[name] = offset
        return {name: offset for name, offset in offsets.items() if name in self.nodes}

    def close(self) -> None:
        """End the actors, hung ones too."""
        for actor in self._actors.values():
            with contextlib.suppress(RayError):
                ray.kill(actor, no_restart=True)

    def _lose(self, name: str, why: str) -> None:
        self.lost[name] = why
        del self.nodes[name]


@contextlib.contextmanager
def probes_on(nodes: Sequence[RayNode], timeout_s: float) -> Iterator[Probes]:
    """Start the probes for the duration of a ``with``."""
    # By value: a node may have another raysearch, or none.
    cloudpickle.register_pickle_by_value(node_probe)
    try:
        probes = Probes(nodes, timeout_s)
        try:
            yield probes
        finally:
            probes.close()
    finally:
        cloudpickle.unregister_pickle_by_value(node_probe)


def _actor(node: RayNode) -> Any:
    # No CPU: a cluster that is busy with a search must answer, too.
    return (
        ray.remote(NodeProbe)
        .options(
            num_cpus=0,
            max_restarts=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        )
        .remote()
    )


def _line(error: RayError) -> str:
    cause = error.cause if isinstance(error, RayTaskError) else error
    text = str(cause).strip()
    return f"{type(cause).__name__}: {text.splitlines()[0] if text else 'no reason given'}"
