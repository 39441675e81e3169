"""Waiting out what passes by itself: a disk that is full, a store that refuses for a moment."""

import errno
import math
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["PATIENCE_S", "no_room", "patiently"]

PATIENCE_S = 30.0
PAUSE_S = 0.5

T = TypeVar("T")


def no_room(error: Exception) -> bool:
    """Whether a disk, or one's part of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def patiently(act: Callable[[], T], passes: Callable[[Exception], bool]) -> T:
    """What ``act`` returns, tried again while it raises what ``passes``.

    Half a minute after it has first raised that, it is raised to the caller.
    """
    until = math.inf
    while True:
        try:
            return act()
        except Exception as error:
            now = time.monotonic()
            until = min(until, now + PATIENCE_S)
            if not passes(error) or now >= until:
                raise
            time.sleep(PAUSE_S)
