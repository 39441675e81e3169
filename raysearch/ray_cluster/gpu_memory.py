"""How much of a GPU's memory a worker may count on, asked of the driver library alone.

torch would answer from a CUDA context, which takes half a gigabyte of every GPU it looks at for
as long as the process lives; a search's own process computes nothing there.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raysearch.ray_cluster.ray_internals import pynvml

__all__ = ["VISIBLE", "free_gpu_bytes", "least_gpu_bytes", "nodes_with_gpus", "visible_devices"]

# A node that has not answered by then may be leaving; a task of no CPU starts in a second or two.
PATIENCE_S = 30.0
VISIBLE = "CUDA_VISIBLE_DEVICES"


def least_gpu_bytes(
    share: float | None,
    nodes: Sequence[Mapping[str, Any]],
    ask: Callable[[float | None], int | None] | None = None,
) -> int | None:
    """Free bytes of the fullest GPU that a worker may be given on any node of the cluster.

    The driver's own node may have no GPU at all: each that has some is asked by a task of no CPU.

    Args:
        share: GPUs of one worker, as for ``free_gpu_bytes``.
        nodes: of ``ray.nodes()``, the living ones.
        ask: what a node is asked; by default how much of its GPUs is free.

    Returns:
        None where workers get no GPU, or where a node that has some did not answer or cannot tell.
    """
    with_gpus = nodes_with_gpus(nodes)
    if share == 0 or not with_gpus:
        return None
    task = ray.remote(num_cpus=0, max_retries=0)(ask or _free_on_this_node)
    waiting = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            share
        )
        for node in with_gpus
    ]
    answered, late = ray.wait(waiting, num_returns=len(waiting), timeout=PATIENCE_S)
    told = [free for free in map(_free_bytes, answered) if free is not None]
    # Those that are late end by themselves, and hold nothing meanwhile.
    return None if late or len(told) < len(answered) else min(told)


def _free_bytes(answer: "ray.ObjectRef[int | None]") -> int | None:
    try:
        free: int | None = ray.get(answer)
    except ray.exceptions.RayError:
        return None
    return free


def nodes_with_gpus(nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ids of those of ``ray.nodes()`` that have GPUs."""
    return [node["NodeID"] for node in nodes if node["Resources"].get("GPU", 0) > 0]


def _free_on_this_node(share: float | None, nvml: Any = pynvml) -> int | None:
    # An empty list is Ray's, which may hide the GPUs from a task that reserves none; any other is
    # the user's choice.
    return free_gpu_bytes(share, nvml, os.environ if os.environ.get(VISIBLE) else {})


def free_gpu_bytes(
    share: float | None = None,
    nvml: Any = pynvml,
    environment: Mapping[str, str] = os.environ,
) -> int | None:
    """Return the free bytes of the fullest GPU in use, or the part of them for one worker.

    Args:
        share: GPUs of one worker; a part of one has that part of its memory. ``None`` is one.
        nvml: the driver's library.
        environment: where VISIBLE may be.

    Returns:
        None where there is no GPU, or workers get none.
    """
    if share == 0:
        return None
    try:
        nvml.nvmlInit()
    except (nvml.NVMLError, OSError):
        return None
    try:
        devices = visible_devices(nvml, environment.get(VISIBLE))
        free = [nvml.nvmlDeviceGetMemoryInfo(device).free for device in devices]
    except nvml.NVMLError:
        return None
    finally:
        nvml.nvmlShutdown()
    return int(min(free) * min(share or 1.0, 1.0)) if free else None


def visible_devices(nvml: Any, names: str | None) -> list[Any]:
    """Handles of the devices that CUDA would show; it stops at the first that it does not know."""
    if names is None:
        return [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
    found: list[Any] = []
    for name in (name.strip() for name in names.split(",")):
        try:
            by_index = name.isdecimal()
            found.append(
                nvml.nvmlDeviceGetHandleByIndex(int(name))
                if by_index
                else nvml.nvmlDeviceGetHandleByUUID(name)
            )
        except nvml.NVMLError:
            break
    return found
