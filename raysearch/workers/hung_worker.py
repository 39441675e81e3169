"""Ending a worker that no longer answers: Ray Train takes it for one that lives."""

import contextlib
import os
import signal
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

__all__ = ["end_worker"]


def end_worker(node: str, pid: int) -> None:
    """Kill process ``pid`` on the node of that id, if it is a worker of Ray's; nothing is awaited.

    Its death is what tells Ray Train to start the group again.
    """
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    kill = ray.remote(num_cpus=0, max_retries=0)(_kill)
    kill.options(
        name="end a hung worker", scheduling_strategy=there, enable_task_events=False
    ).remote(pid)


def _kill(pid: int) -> None:
    # By now the number could be another's.
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::"):
            os.kill(pid, signal.SIGKILL)
