"""Work that may be left out now and then, so that it costs a fixed share of the time."""

import time
from collections.abc import Callable

__all__ = ["Sparing"]


class Sparing:
    """Does what it is given, unless that has lately taken too much of the time.

    Args:
        share: of the time, the most that goes to it.
    """

    def __init__(self, share: float = 0.02) -> None:
        self._share = share
        self._next = 0.0

    def __call__(self, act: Callable[[], object]) -> bool:
        """Do ``act``, if it is its turn; whether it was."""
        began = time.monotonic()
        if began < self._next:
            return False
        act()
        ended = time.monotonic()
        self._next = ended + (ended - began) / self._share
        return True
