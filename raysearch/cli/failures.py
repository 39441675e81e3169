"""Ends a verb after an error that nobody foresaw: with one line, and an exit code.

The system's own errors say whose fault they are: a full disk is the machine's, a path that cannot
be is the user's.
"""

import errno
import os
import sys
from contextlib import suppress

from raysearch.errors import InfrastructureError, RaysearchError, UserError
from raysearch.paths import shortened, why_not

__all__ = ["of_system", "output_failed", "tell"]

_USERS = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.EPERM,
}
_REMEDIES = {
    errno.ENOSPC: "make room there, or choose another --storage; a run goes on with --resume",
    errno.EDQUOT: "make room in your quota; a run goes on with --resume",
    errno.EROFS: "choose a folder that can be written",
    errno.EIO: "the disk or its network fails; a run goes on with --resume",
    errno.EMFILE: "raise the limit of open files (ulimit -n 65536)",
    errno.ENOMEM: "free memory; a run goes on with --resume",
}


def tell(message: str) -> None:
    """One line on standard error, as far as that can be written."""
    with suppress(OSError, ValueError):
        print(f"raysearch: {message}", file=sys.stderr, flush=True)


def of_system(error: OSError) -> RaysearchError:
    """The error that ``error`` is to the user: theirs to correct, or the machine's."""
    if isinstance(cause := getattr(error, "cause", None), OSError):
        error = cause  # what a task of Ray met
    number = error.errno or 0
    place = f"{shortened(os.fsdecode(error.filename))}: " if _names_path(error) else ""
    remedy = f"; {_REMEDIES[number]}" if number in _REMEDIES else ""
    kind = UserError if number in _USERS else InfrastructureError
    what = (why_not(error).strip() or type(error).__name__).splitlines()[-1]
    return kind(f"{place}{what}{remedy}")


def _names_path(error: OSError) -> bool:
    return isinstance(error.filename, str | bytes)


def output_failed(met: OSError | None = None) -> OSError | None:
    """Why standard output cannot take what was printed; None if it can.

    What it could not take is given up then, or Python would try again, and complain, at its end.

    Args:
        met: an error that may have been its. One without buffers (``PYTHONUNBUFFERED``) has
            nothing left to flush, so an error that names no file has it tried by an empty line.
    """
    try:
        if sys.stdout is not None:
            if met is not None and met.filename is None:
                print()
            sys.stdout.flush()
    except OSError as error:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    return None
