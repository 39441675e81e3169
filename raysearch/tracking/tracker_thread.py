"""A tracker's own thread: whatever the tracker does there, the search neither waits nor fails."""

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from raysearch.errors import first_line
from raysearch.ledger import Event
from raysearch.tracking.delivery import Delivery
from raysearch.tracking.tracker import Figures

__all__ = ["TrackerThread"]

# Events that wait for a tracker; beyond them it is given up. They are some MB.
MOST_WAITING = 10_000
# Between a failure and the next try; after so many failures in a row there is none.
RETRY_S = 30.0
MOST_FAILURES = 5
# For which the end of a search waits at most, while a tracker takes the rest.
END_S = 20.0


@dataclass(frozen=True, slots=True)
class _Closing:
    outcome: str
    figures: Figures


class TrackerThread:
    """Tells a tracker of events, in order, on a thread that starts at once.

    Of a tracker that fails, hangs or does not keep up one line is said, and no other.

    Args:
        name: the tracker's.
        begin: makes what is delivered; called on the thread.
        say: takes a line for the user.
    """

    def __init__(
        self, name: str, begin: Callable[[], Delivery], say: Callable[[str], None]
    ) -> None:
        self._name, self._begin, self._say = name, begin, say
        self._waiting: queue.Queue[Event | _Closing] = queue.Queue(MOST_WAITING)
        self._said = threading.Event()
        self._given_up = threading.Event()
        self._failures, self._not_before = 0, 0.0
        self._thread = threading.Thread(target=self._work, name=f"track-{name}", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Have the tracker told of ``event``; returns at once."""
        if not self._given_up.is_set():
            self._enqueue(event)

    def close(self, outcome: str, figures: Figures) -> None:
        """Have the tracker told the rest, and wait for that, but not for long."""
        if self._given_up.is_set() or not self._enqueue(_Closing(outcome, figures)):
            return
        self._thread.join(END_S)
        if self._thread.is_alive():
            self._give_up("does not answer")

    def _enqueue(self, message: Event | _Closing) -> bool:
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            self._give_up("does not keep up")
            return False
        return True

    def _work(self) -> None:
        try:
            delivery = self._begin()
        except Exception as error:
            self._give_up(first_line(error))
            return
        self._attempt(delivery.deliver)
        closing = None
        while closing is None and not self._given_up.is_set():
            closing = self._hear(delivery)
            if closing is None:
                self._attempt(delivery.deliver)
        if closing is not None:
            self._close(delivery, closing)

    def _hear(self, delivery: Delivery) -> _Closing | None:
        """Wait for an event, and take in all that wait behind it."""
        message = self._waiting.get()
        while not isinstance(message, _Closing):
            delivery.hear(message)
            try:
                message = self._waiting.get_nowait()
            except queue.Empty:
                return None
        return message

    def _close(self, delivery: Delivery, closing: _Closing) -> None:
        try:
            delivery.close(closing.outcome, closing.figures)
        except Exception as error:
            self._complain(first_line(error))

    def _attempt(self, act: Callable[[], None]) -> None:
        if time.monotonic() < self._not_before:
            return
        try:
            act()
        except Exception as error:  # a library of somebody else's: anything may come
            self._failures += 1
            self._not_before = time.monotonic() + RETRY_S
            self._complain(first_line(error))
            if self._failures >= MOST_FAILURES:
                self._given_up.set()
        else:
            self._failures = 0

    def _give_up(self, why: str) -> None:
        self._given_up.set()
        self._complain(why)
        with suppress(queue.Empty):  # what waits is of no use any more
            while True:
                self._waiting.get_nowait()

    def _complain(self, why: str) -> None:
        if not self._said.is_set():
            self._said.set()
            self._say(
                f"--track {self._name}: {why}; the search goes on, --resume tells it the rest"
            )
