"""The processes of a search, by what they do; the soak runs among no others."""

import os
import signal
from collections import Counter
from collections.abc import Iterator

import psutil

__all__ = ["HOST", "WORKER", "footprint", "running", "stopped"]

HOST, WORKER, CONTROLLER = "WorkerGroupHost", "RayTrainWorker", "TrainController"
OF_THE_SEARCH = (HOST, WORKER, CONTROLLER)


def role_of(process: psutil.Process) -> str:
    """The class of an actor, ``daemon`` for what keeps Ray going; empty for anything else."""
    words = process.cmdline()
    if not words:
        return ""
    if words[0].startswith("ray::"):
        return words[0].removeprefix("ray::").partition(".")[0].split()[0]
    return "daemon" if any("/ray/" in word for word in words[:4]) else ""


def _all() -> Iterator[tuple[psutil.Process, str]]:
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process, role_of(process)
        except psutil.Error:
            continue  # it has just ended


def running(*roles: str) -> list[int]:
    """Process ids of those actors, sorted; a stopped one does not run."""
    found = [process.pid for process, role in _all() if role in roles]
    return sorted(set(found) - set(stopped(found)))


def stopped(pids: list[int]) -> list[int]:
    """Those that a signal has stopped, and nobody has ended."""
    found = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_STOPPED:
                found.append(pid)
        except psutil.Error:
            continue
    return found


def left_of_search() -> list[int]:
    """What a search has to take along when it ends."""
    return [process.pid for process, role in _all() if role in OF_THE_SEARCH]


def footprint(driver: int) -> dict[str, int]:
    """Resident bytes: the driver's, those of Ray's daemons, and of all together."""
    found: Counter[str] = Counter()
    for process, role in _all():
        name = "driver" if process.pid == driver else role
        if not name:
            continue
        try:
            rss = process.memory_info().rss
        except psutil.Error:
            continue
        found["all"] += rss
        found["processes"] += 1
        if name in ("driver", "daemon"):
            found[name] += rss
    return dict(found)


def kill(pid: int) -> None:
    """End it at once."""
    os.kill(pid, signal.SIGKILL)


def stop(pid: int) -> None:
    """Let it live and do nothing."""
    os.kill(pid, signal.SIGSTOP)
