"""What the cluster test says and how it waits."""

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["Steps"]

T = TypeVar("T")
POLL_S = 2.0


class Steps:
    """Prints every step with the time of day and the seconds since the first."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """One line."""
        now = time.strftime("%H:%M:%S")
        print(f"{now} {time.monotonic() - self._began:6.1f} s  {text}", flush=True)

    def wait(self, what: str, ready: Callable[[], T], timeout_s: float) -> T:
        """Ask until the answer is true, say ``what`` then, and return the answer.

        A cluster that does not answer (OSError) is asked again.

        Raises:
            AssertionError: it was not in time; with the last answer.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            answer: T | OSError
            try:
                answer = ready()
            except OSError as error:
                answer = error
            if answer and not isinstance(answer, OSError):
                self.say(what)
                return answer
            late = time.monotonic() > deadline
            assert not late, f"not within {timeout_s:g} s: {what} (last: {answer!r})"
            time.sleep(POLL_S)
