"""What goes to a store while a search goes on: in order, by a thread of its own."""

import threading
import time
from collections import deque
from collections.abc import Callable

from raysearch.errors import InfrastructureError

__all__ = ["DEADLINE_S", "Outbox"]

# What is put makes several requests, and the client tries each for a minute.
DEADLINE_S = 400.0


class Outbox:
    """Carries out what is put into it, one act after another, in a thread of its own.

    After an error nothing more is carried out: what comes next may count on what came before.
    """

    def __init__(self) -> None:
        self._todo: deque[Callable[[], None]] = deque()
        self._begun: float | None = None
        self._changed = threading.Condition()  # its lock can be taken twice by one thread
        self._error: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="outbox", daemon=True)
        self._thread.start()

    def put(self, act: Callable[[], None]) -> None:
        """Have ``act`` carried out after all that was put before."""
        with self._changed:
            self._todo.append(act)
            self._changed.notify_all()

    def check(self) -> None:
        """Raise the error of whatever was put here and has failed.

        Raises:
            InfrastructureError: what was begun is not done since ``DEADLINE_S``, too.
        """
        with self._changed:
            if self._error:
                raise self._error
            if self._left_s() < 0:
                raise InfrastructureError(f"the storage has not answered for {DEADLINE_S:g} s")

    def drain(self) -> None:
        """Wait until all is done that was put before; raises as ``check``."""
        with self._changed:
            while self._todo and not self._closed:
                self.check()
                self._changed.wait(max(0.0, self._left_s()))  # told whenever something is done
            self.check()

    def close(self) -> None:
        """Take nothing more; the thread ends once it is done with what it has begun."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _serve(self) -> None:
        while (act := self._next()) is not None:
            error = _error_of(act)
            with self._changed:
                self._begun, self._error = None, error
                if error is None:
                    self._todo.popleft()
                self._changed.notify_all()
            if error:
                return

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._todo or self._closed)
            if self._closed:
                return None
            self._begun = time.monotonic()
            return self._todo[0]

    def _left_s(self) -> float:
        """What is left of the time for what is under way."""
        return DEADLINE_S - (time.monotonic() - self._begun if self._begun is not None else 0.0)


def _error_of(act: Callable[[], None]) -> Exception | None:
    """What ``act`` raises, if anything: the thread must not end without a word."""
    try:
        act()
    except Exception as error:
        return error
    except BaseException as error:  # a panic of the client's Rust code
        return InfrastructureError(f"sending: {error}")
    return None
