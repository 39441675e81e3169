"""What a signal does to a search: the first lets it end its epoch, the second ends it now."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from raysearch.errors import SearchInterruptedError

__all__ = ["Interrupt", "signals"]


class Interrupt:
    """Remembers that a signal came, and does what a first one asks for.

    Attributes:
        received: whether one came that was not the end.
    """

    def __init__(self) -> None:
        self.received = False
        self._stop: Callable[[str], None] | None = None

    def then(self, stop: Callable[[str], None] | None) -> None:
        """Have a first signal call ``stop`` with a reason, from now on; None: be the end."""
        self._stop = stop

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Called with a signal's number; a second one raises SearchInterruptedError."""
        del frame
        if self.received or self._stop is None:
            raise SearchInterruptedError(f"stopped by {signal.Signals(number).name}")
        self.received = True
        self._stop("signal")


@contextmanager
def signals() -> Iterator[Interrupt]:
    """Handle SIGINT and SIGTERM: a first one ends the epoch under way, a second one ends at once.

    While trials neither run nor are to run, as when the final model is made, so does the first.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    watched = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interrupt) for number in watched}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
