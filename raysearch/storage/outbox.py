"""What goes to a store while a search goes on: in order, by a thread of its own."""

import threading
import time
from collections import deque
from collections.abc import Callable

from raysearch.errors import InfrastructureError, RaysearchError

__all__ = ["DEADLINE_S", "Outbox"]

# A store that is away is tried again for so long by the client itself.
DEADLINE_S = 180.0


class Outbox:
    """Carries out what is put into it, one after another; whoever puts does not wait.

    After an error nothing more is carried out: what comes next may count on what came before.
    """

    def __init__(self) -> None:
        self._todo: deque[tuple[float, Callable[[], None]]] = deque()
        self._changed = threading.Condition()
        self._error: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="outbox", daemon=True)
        self._thread.start()

    def put(self, act: Callable[[], None]) -> None:
        """Have ``act`` carried out after all that was put before."""
        with self._changed:
            self._todo.append((time.monotonic(), act))
            self._changed.notify_all()

    def check(self) -> None:
        """Raise what something put here has raised.

        Raises:
            InfrastructureError: something is not done since ``DEADLINE_S``, too.
        """
        with self._changed:
            if self._error:
                raise self._error
            if self._todo and time.monotonic() - self._todo[0][0] > DEADLINE_S:
                raise _silent()

    def drain(self) -> None:
        """Wait until all is done that was put before; raises as ``check``."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._error or not self._todo, DEADLINE_S):
                raise _silent()
        self.check()

    def close(self) -> None:
        """Take nothing more; the thread ends once it is done with what it has begun."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _serve(self) -> None:
        while (act := self._next()) is not None:
            try:
                act()
            except (RaysearchError, OSError) as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            with self._changed:
                self._todo.popleft()
                self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._todo or self._closed)
            return None if self._closed else self._todo[0][1]


def _silent() -> InfrastructureError:
    return InfrastructureError(f"the storage has not answered for {DEADLINE_S:g} s")
