"""Run by itself, one process a node: how fast sums go round between them, as a line of JSON.

Its text is sent to the nodes. The figure is the bus bandwidth of NVIDIA's nccl-tests: of an
all-reduce over n ranks, 2 (n - 1) / n of the payload passes each rank's link.
"""

import json
import signal
import sys
import time
from datetime import timedelta
from typing import Any

__all__ = ["bus_bandwidth", "measure"]

MEASURE_S = 2.0
MOST_TIMES = 10


def bus_bandwidth(num_bytes: int, seconds: float, num_ranks: int) -> float:
    """GB/s (1e9) of one all-reduce of ``num_bytes`` over ``num_ranks``."""
    return 2 * (num_ranks - 1) / num_ranks * num_bytes / seconds / 1e9


def measure(
    rank: int, world: int, host: str, port: int, backend: str, num_bytes: int, limit_s: int
) -> dict[str, object]:
    """The median seconds of an all-reduce of ``num_bytes`` of float32.

    Args:
        rank: of this process, from 0.
        world: number of processes.
        host: of rank 0, where its store listens.
        port: of that store.
        backend: ``nccl`` on the first GPU, or ``gloo``.
        num_bytes: of each rank's payload.
        limit_s: for the whole.
    """
    # Here, not above: whoever sends this module's text to the nodes needs no torch.
    import torch

    dist: Any = torch.distributed
    limit = timedelta(seconds=limit_s)
    device = torch.device("cuda:0" if backend == "nccl" else "cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    store = dist.TCPStore(host, port, world, is_master=rank == 0, timeout=limit)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=limit)
    payload = torch.ones(num_bytes // 4, device=device)
    once = _timed(dist, torch, payload)
    # The first goes slowly: connections are made. All ranks must count alike.
    first = torch.tensor([min(once, _timed(dist, torch, payload))], device=device)
    dist.all_reduce(first, op=dist.ReduceOp.MAX)
    times = max(1, min(MOST_TIMES, int(MEASURE_S / max(float(first), 1e-6))))
    seconds = sorted(_timed(dist, torch, payload) for _ in range(times))
    dist.barrier()
    dist.destroy_process_group()
    return {"seconds": seconds[times // 2], "times": times}


def _timed(dist: Any, torch: Any, payload: Any) -> float:
    def wait() -> None:
        if payload.is_cuda:
            torch.cuda.synchronize()

    payload.fill_(1.0)
    wait()
    started = time.perf_counter()
    dist.all_reduce(payload)
    wait()
    took = time.perf_counter() - started
    if float(payload[-1]) != dist.get_world_size():
        raise RuntimeError("an all-reduce of ones came out wrong")
    return took


def _main(arguments: list[str]) -> None:
    rank, world, host, port, backend, num_bytes, limit_s = arguments
    signal.alarm(int(limit_s))  # whatever hangs, nothing stays behind
    try:
        limits = int(num_bytes), int(limit_s)
        found = measure(int(rank), int(world), host, int(port), backend, *limits)
    except Exception as error:
        found = {"error": (str(error).strip() or type(error).__name__).splitlines()[0]}
    print(json.dumps(found))


if __name__ == "__main__":
    _main(sys.argv[1:])
