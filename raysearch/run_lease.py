"""One driver a run folder: a lock that dies with its process, and a fence that only rises.

The lock keeps a second driver out. The fence keeps out what a dead driver left behind: whoever
publishes into the folder carries the fence it was started under, and is refused once a later
driver has taken the folder over (M. Kleppmann, "How to do distributed locking", 2016).
"""

import fcntl
import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from raysearch.errors import InfrastructureError, RunExistsError
from raysearch.files import write_text

__all__ = ["Lease", "RunLease", "check_fence", "is_held", "was_held_here"]

_LOCK, _LEASE = "lease.lock", "lease.json"


class Lease(Protocol):
    """A run that this driver alone may write to, wherever it is kept."""

    fence: int

    def check(self) -> None:
        """Raise InfrastructureError if a later driver has taken the run over."""
        ...


class RunLease:
    """A held run folder. Use as a context manager, or call ``release``.

    Attributes:
        folder: the run's folder.
        fence: above that of every earlier holder of the folder.
    """

    def __init__(self, folder: Path, fence: int, lock: int) -> None:
        self.folder = folder
        self.fence = fence
        self._lock: int | None = lock

    @classmethod
    def acquire(cls, folder: Path) -> "RunLease":
        """Take ``folder`` (made if absent) and raise its fence by one.

        Raises:
            RunExistsError: a living process holds it; the message names host and pid.
            InfrastructureError: the folder's file system cannot lock or write.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Not inherited across exec, so a spawned worker never keeps the lock alive.
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise InfrastructureError(f"{folder}: {error.strerror}") from error
        try:
            return cls(folder, _take(folder, lock), lock)
        except BaseException:
            os.close(lock)
            raise

    def check(self) -> None:
        """Raise InfrastructureError if a later driver has taken the folder over."""
        check_fence(self.folder, self.fence)

    def release(self) -> None:
        """Let the folder go; the fence stays. Twice is fine."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "RunLease":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def is_held(folder: Path) -> bool:
    """Whether a living process of this machine holds the folder."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(lock)


def was_held_here(folder: Path) -> bool:
    """Whether this machine held the folder last, so that ``is_held`` says all there is to say."""
    try:
        return _read(folder).get("host") == socket.gethostname()
    except InfrastructureError:
        return False


def check_fence(folder: Path, fence: int) -> None:
    """Refuse to go on for a driver that has been replaced.

    Call it just before publishing anything into ``folder``.

    Raises:
        InfrastructureError: the folder's fence has moved on, or cannot be read.
    """
    current = _read(folder).get("fence")
    if current != fence:
        raise InfrastructureError(
            f"{folder}: taken over by another driver (fence {current}, ours is {fence})"
        )


def _take(folder: Path, lock: int) -> int:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _read(folder) if (folder / _LEASE).exists() else {}
        raise RunExistsError(
            f"{folder}: in use by process {holder.get('pid', '?')} on {holder.get('host', '?')}; "
            "wait for it, stop it, or choose another --name"
        ) from None
    except OSError as error:
        raise InfrastructureError(f"{folder}: cannot be locked: {error.strerror}") from error
    fence = int(_read(folder).get("fence", 0)) + 1 if (folder / _LEASE).exists() else 1
    holder = {"fence": fence, "host": socket.gethostname(), "pid": os.getpid(), "time": time.time()}
    try:
        write_text(folder / _LEASE, json.dumps(holder) + "\n")
    except OSError as error:
        raise InfrastructureError(f"{folder}: {error.strerror}") from error
    return fence


def _read(folder: Path) -> dict[str, Any]:
    path = folder / _LEASE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InfrastructureError(f"{path}: {error}") from None
    fence = data.get("fence") if isinstance(data, dict) else None
    if not isinstance(fence, int) or isinstance(fence, bool):
        raise InfrastructureError(f"{path}: holds no fence")
    return dict(data)
