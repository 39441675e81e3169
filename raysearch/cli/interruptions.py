"""What an interruption (SIGINT) does: to a verb that works, and while modules are imported."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ended_at_once", "interruptions_noted"]


class _Noting:
    """Handles an interruption: notes it, then raises ``KeyboardInterrupt``."""

    def __init__(self) -> None:
        self.noted: list[int] = []

    def __call__(self, number: int, frame: object) -> None:
        self.noted.append(number)
        raise KeyboardInterrupt


@contextmanager
def interruptions_noted() -> Iterator[list[int]]:
    """A list that an interruption adds to, besides raising ``KeyboardInterrupt``.

    Imports and libraries turn that into errors of their own, by which it would not be known.
    """
    handler = _Noting()
    noted = handler.noted
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, handler)
    before = sys.unraisablehook

    def without_interruptions(args: "sys.UnraisableHookArgs") -> None:
        if not (noted and issubclass(args.exc_type, KeyboardInterrupt)):
            before(args)

    sys.unraisablehook = without_interruptions
    try:
        yield noted
    finally:
        sys.unraisablehook = before
        if ours and signal.getsignal(signal.SIGINT) is handler:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def ended_at_once() -> Iterator[None]:
    """An interruption ends the process with a line: for imports, when nothing is to be tidied up.

    An import turns it into other errors, or tracebacks of its own. A handler that is neither
    Python's nor this module's is somebody else's, and stays.
    """
    before = signal.getsignal(signal.SIGINT)
    known = before is signal.default_int_handler or isinstance(before, _Noting)
    if not known or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, _say_interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _say_interrupted(number: int, frame: object) -> None:
    del number, frame
    os.write(2, b"raysearch: interrupted\n")
    os._exit(130)
