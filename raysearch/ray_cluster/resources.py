"""From nodes and wishes to slots, with the arithmetic said before anything starts."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from raysearch.errors import ResourceError

__all__ = [
    "Node",
    "Plan",
    "cluster_nodes",
    "local_node",
    "plan_slots",
    "workers_on",
]


@dataclass(frozen=True, slots=True)
class Node:
    """The CPUs and GPUs of one node."""

    cpus: float
    gpus: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How many trials run side by side, and what each worker of one gets."""

    slots: int
    workers: int
    cpus_per_worker: int
    gpus_per_worker: float
    max_workers: int | None = None

    @property
    def most_workers(self) -> int:
        """The most workers that one trial may have, where the cluster has room for them."""
        return self.max_workers or self.workers

    @property
    def resources_per_worker(self) -> dict[str, float]:
        """The resources of one worker, under Ray's names."""
        wanted = {"CPU": float(self.cpus_per_worker)}
        return {**wanted, "GPU": self.gpus_per_worker} if self.gpus_per_worker else wanted

    def describe(self) -> str:
        """Describe the plan in one line for the terminal."""
        return f"{_count(self.slots, 'trial')} at a time, each on {self.describe_slot()}"

    def describe_slot(self) -> str:
        """Say what one slot needs."""
        gpu = f" + {self.gpus_per_worker:g} GPU" if self.gpus_per_worker else ""
        workers = _count(self.workers, "worker")
        if self.max_workers:
            workers = f"{self.workers} to {_count(self.max_workers, 'worker')}"
        return f"{workers} of {self.cpus_per_worker} CPU{gpu}"


def local_node() -> Node:
    """Return this machine as Ray counts it: the CPUs of this process, and CUDA devices."""
    # Here, not above: the slot broker reads this module, and has no torch.
    import torch

    return Node(float(len(os.sched_getaffinity(0))), float(torch.cuda.device_count()))


def cluster_nodes(ray_nodes: Sequence[dict[str, Any]]) -> list[Node]:
    """Return the living nodes among ``ray.nodes()``."""
    offers = [node["Resources"] for node in ray_nodes if node["Alive"]]
    return [Node(offer.get("CPU", 0.0), offer.get("GPU", 0.0)) for offer in offers]


def plan_slots(
    nodes: Sequence[Node],
    *,
    workers: int,
    cpus_per_worker: int,
    gpus_per_worker: float | None,
    slots: int | None,
    trials: int,
    growing: bool = False,
    max_workers: int | None = None,
) -> Plan:
    """Compute how many slots fit; never more than there are trials.

    Args:
        nodes: what may be used.
        workers: training processes of one trial.
        cpus_per_worker: CPU cores of each.
        gpus_per_worker: GPUs of each; ``None`` takes one where there are any.
        slots: trials at a time; ``None`` takes what fits.
        trials: trials of the whole search.
        growing: more nodes may join: ``slots`` (all trials, by default) is a limit, of which one
            must fit.
        max_workers: the most training processes of one trial, if their number may change.

    Raises:
        ResourceError: it can never fit; the message holds the arithmetic.
    """
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    gpu_share = gpus_per_worker if gpus_per_worker is not None else float(gpus > 0)
    if gpu_share % 1 and (gpu_share > 1 or workers > 1):
        raise ResourceError(
            f"{gpu_share:g} GPU a worker with {_count(workers, 'worker')}: a share of a GPU goes "
            "with one worker (NCCL needs a whole device for each); set --workers 1 or whole GPUs"
        )
    fitting = sum(workers_on(node, cpus_per_worker, gpu_share) for node in nodes) // workers
    wanted = slots or (trials if growing and fitting else min(max(fitting, 1), trials))
    if wanted > fitting and not (growing and fitting):
        need = f"{_count(wanted, 'slot')} x {_count(workers, 'worker')} x {cpus_per_worker} CPU"
        need += f" + {gpu_share:g} GPU" if gpu_share else ""
        raise ResourceError(
            f"{need} can never fit: there are {cpus:g} CPUs and {gpus:g} GPUs on "
            f"{_count(len(nodes), 'node')}, enough for {_count(fitting, 'slot')}; "
            "lower --slots, --workers, --cpus-per-worker or --gpus-per-worker"
        )
    return Plan(min(wanted, trials), workers, cpus_per_worker, gpu_share, max_workers)


def workers_on(node: Node, cpus: int, gpus: float) -> int:
    """Return how many workers of so many CPUs and GPUs the node has room for."""
    by_cpu = int(node.cpus // cpus)
    if not gpus:
        return by_cpu
    on_gpu = int(node.gpus // gpus) if gpus >= 1 else int(node.gpus) * int(1 / gpus)
    return min(by_cpu, on_gpu)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
