"""How much of a GPU's memory a worker may count on, asked of the driver library alone.

torch would answer from a CUDA context, which takes half a gigabyte of every GPU it looks at for
as long as the process lives; a search's own process computes nothing there.
"""

import os
from collections.abc import Mapping
from typing import Any

from raysearch.ray_cluster.ray_internals import pynvml

__all__ = ["free_gpu_bytes"]


def free_gpu_bytes(
    share: float | None = None,
    nvml: Any = pynvml,
    environment: Mapping[str, str] = os.environ,
) -> int | None:
    """Return the free bytes of the fullest GPU in use, or the part of them for one worker.

    Args:
        share: GPUs of one worker; a part of one has that part of its memory. ``None`` is one.
        nvml: the driver's library.
        environment: where ``CUDA_VISIBLE_DEVICES`` may be.

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
        devices = _visible(nvml, environment.get("CUDA_VISIBLE_DEVICES"))
        free = [nvml.nvmlDeviceGetMemoryInfo(device).free for device in devices]
    except nvml.NVMLError:
        return None
    finally:
        nvml.nvmlShutdown()
    return int(min(free) * min(share or 1.0, 1.0)) if free else None


def _visible(nvml: Any, names: str | None) -> list[Any]:
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
