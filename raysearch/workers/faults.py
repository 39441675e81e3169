"""Whose fault an error is: it decides what becomes of the trial, and of the slot it ran on.

=========  =====================================================  ==================================
fault      such as                                                what follows
=========  =====================================================  ==================================
settings   a value that a layer refuses, a loss that is not       the trial fails, the slot goes on
           finite, whatever is not listed below
memory     out of memory, of the machine's or of a GPU's          the group starts again, the trial
                                                                  has one more try, then it fails
slot       gloo, NCCL, CUDA, cuDNN; a dead worker; a file that    the group starts again; a trial
           is missing on this node                                that it costs too often goes
                                                                  elsewhere, and fails if it ends
                                                                  so again
storage    a full or read-only disk, a quota, an I/O error; a     nobody's trial fails; the slot
           store that refuses or cannot be reached                rests, and closes if that does
                                                                  not help
=========  =====================================================  ==================================

An error is judged by the names of its classes, its ``errno`` and, where a library says it no
other way, its text; and by what caused it. Nothing here imports torch: the hosts have none.
"""

import errno
import re
from collections.abc import Iterator
from enum import StrEnum

from raysearch.errors import InfrastructureError, RaysearchError, StorageRefusedError

__all__ = ["Fault", "fault_of"]


class Fault(StrEnum):
    """Whose fault an error is."""

    SETTINGS = "settings"
    MEMORY = "memory"
    SLOT = "slot"
    STORAGE = "storage"


# By a class' name, those of its bases included: of torch, of Ray, and of Python.
_CLASSES = {
    "OutOfMemoryError": Fault.MEMORY,
    "MemoryError": Fault.MEMORY,
    "OutOfDiskError": Fault.STORAGE,
    "ObjectStoreFullError": Fault.STORAGE,
    "DistError": Fault.SLOT,
    "AcceleratorError": Fault.SLOT,
    "RayActorError": Fault.SLOT,
    "ObjectLostError": Fault.SLOT,
    "GetTimeoutError": Fault.SLOT,
    "NodeDiedError": Fault.SLOT,
    "WorkerCrashedError": Fault.SLOT,
    "RaySystemError": Fault.SLOT,
}
# CUDA and NCCL say in words that a GPU is full; only torch's own allocator has a class for it.
_OF_LIBRARIES = {"AcceleratorError", "DistError"}
# Of other numbers, what is missing or not allowed, say, may be there on another node.
_OF_STORAGE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOTCONN),
    *(errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT),
}
# C++ and Rust name the errors of the system in words, or by number.
_TEXTS = (
    (Fault.MEMORY, r"out of memory|can't allocate memory|cannot allocate memory"),
    (Fault.MEMORY, r"alloc(?:ation)?_failed"),
    (Fault.MEMORY, r"bad_alloc|os error 12\b"),
    (Fault.STORAGE, r"no space left|storage ?full|quota exceeded|read-only file ?system"),
    (Fault.STORAGE, r"input/output error|stale file handle"),
    (Fault.STORAGE, r"(?:os error|errno|code:) ?(?:5|28|30|122)\b|failed writing file"),
    (Fault.SLOT, r"gloo|nccl|process ?group|c10d|tcpstore|socket timeout"),
    (Fault.SLOT, r"connection (?:closed|reset) by peer|broken pipe|timed out waiting"),
    (Fault.SLOT, r"cuda|cudnn|cublas|cufft|cusparse|\bhip error|device-side assert|illegal memory"),
)
# These speak of values. What they quote is no sign of anything.
_OF_VALUES = (ValueError, TypeError, LookupError, ArithmeticError, AssertionError, RaysearchError)


def fault_of(error: BaseException) -> Fault:
    """Find out whose fault ``error`` is, from itself or what it was raised for."""
    chain = list(_chain(error))
    found = next((fault for fault in map(_own, chain) if fault is not Fault.SETTINGS), None)
    # What else the system refuses may be the settings' wish: two slots try it, then it fails.
    refused = any(isinstance(one, OSError) for one in chain)
    return found or (Fault.SLOT if refused else Fault.SETTINGS)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what led to it; Ray keeps the error of a task as its ``cause``."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or any(one is before for before in seen):
            continue
        seen.append(one)
        yield one
        hidden = one.__suppress_context__
        waiting += [getattr(one, "cause", None), one.__cause__, None if hidden else one.__context__]


def _own(error: BaseException) -> Fault:
    if isinstance(error, InfrastructureError | StorageRefusedError):
        return Fault.STORAGE
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _OF_LIBRARIES and "out of memory" in str(error).lower():
        return Fault.MEMORY
    if found := next((fault for name, fault in _CLASSES.items() if name in names), None):
        return found
    if isinstance(error, OSError) and error.errno in _OF_STORAGE:
        return Fault.STORAGE
    if isinstance(error, _OF_VALUES):
        return Fault.SETTINGS
    text = str(error).lower()
    found = next((fault for fault, words in _TEXTS if re.search(words, text)), None)
    return found or Fault.SETTINGS
