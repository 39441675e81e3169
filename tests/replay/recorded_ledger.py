"""A ledger that knows what will be written, and refuses anything else."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from raysearch_names import Event, parse_event

__all__ = ["DivergedError", "DriverDiedError", "RecordedLedger", "diverged"]

# Another processor's numpy may round the last digit of a proposed setting otherwise.
ROUNDING = 1e-9


class DivergedError(AssertionError):
    """The replay does otherwise than the search did."""


def diverged(event: Event, what: str) -> DivergedError:
    """The replay comes to ``event``, and ``what`` is so instead."""
    return DivergedError(f"event {event.seq}, {event.event} of trial {event.number}: {what}")


class DriverDiedError(Exception):
    """The recorded driver wrote no further line."""


class RecordedLedger:
    """Compares each event with the recorded one in its place; time and fence are the recorded.

    Args:
        recorded: all events, of every driver.
    """

    def __init__(self, recorded: Sequence[Event]) -> None:
        self._recorded, self._events = recorded, list[Event]()
        self._fence, self._dies = 0, False
        self.now = 0.0
        self.message: str | None = None

    def open(self, fence: int, *, dies: bool) -> None:
        """Another driver begins, who ``dies`` after its last line."""
        self._fence, self._dies = fence, dies

    @property
    def events(self) -> Sequence[Event]:
        """Every event so far."""
        return self._events

    @property
    def next(self) -> Event | None:
        """The event that is to be written next; ``None`` at the end of this driver's."""
        return next(self.rest(), None)

    def rest(self) -> Iterator[Event]:
        """This driver's events that are to be written yet."""
        for i in range(len(self._events), len(self._recorded)):
            if self._recorded[i].fence != self._fence:
                return
            yield self._recorded[i]

    def append(
        self,
        event: str,
        *,
        trial: str,
        number: int,
        attempt: int,
        slot: int | None = None,
        sync: bool = False,
        **data: Any,
    ) -> Event:
        """Take an event; raises DivergedError if it is not the recorded one."""
        expected = self.next
        if expected is None:
            if self._dies:
                raise DriverDiedError
            raise DivergedError(f"after the recorded end: {event} of trial {number}, {data}")
        header = (expected.seq, trial, number, attempt, expected.fence, expected.time, slot)
        written = parse_event(Event(event, *header, data).to_line(), "the replay")
        self._compare(written, expected)
        self._events.append(written)
        self.now = expected.time
        return written

    def _compare(self, written: Event, expected: Event) -> None:
        different = list(_differences(_shown(written), _shown(expected)))
        if different:
            raise diverged(expected, "; ".join(different))

    def rounded(self, values: dict[str, Any]) -> dict[str, Any]:
        """Settings that are proposed next, as they were recorded where nine digits are equal.

        What follows hangs on the last digit of each: the next proposals, and the hash of a trial.
        """
        event = self.next
        recorded = event.data["config"] if event and event.event == "started" else {}
        return {
            name: recorded[name] if _close(value, recorded.get(name)) else value
            for name, value in values.items()
        }

    def after(self, act: Callable[[], None]) -> None:
        """Carry ``act`` out: nothing is waited for."""
        act()

    def flush(self) -> None:
        """Nothing is on its way."""

    def close(self) -> None:
        """Nothing is open."""

    abandon = close


def _shown(event: Event) -> dict[str, Any]:
    header = {key: getattr(event, key) for key in ("event", "trial", "number", "attempt", "slot")}
    return {**header, **event.data}


def _differences(ours: Any, theirs: Any, place: str = "") -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            yield from _differences(ours.get(key), theirs.get(key), f"{place} {key}".strip())
    elif not _same(ours, theirs):
        yield f"{place} is {ours!r}, was {theirs!r}"


def _same(ours: Any, theirs: Any) -> bool:
    return type(ours) is type(theirs) and bool(ours == theirs)


def _close(ours: Any, theirs: Any) -> bool:
    both = isinstance(ours, float) and isinstance(theirs, float)
    return both and math.isclose(ours, theirs, rel_tol=ROUNDING)
