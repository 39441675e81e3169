"""A ledger that nobody reads once its search is over."""

from collections.abc import Callable, Sequence

from raysearch.ledger import Event

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """Keeps a search's events in memory, as :class:`raysearch.ledger.LedgerStore` asks.

    Args:
        clock: the time of each event, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._events = clock, list[Event]()
        self.message: str | None = None

    @property
    def events(self) -> Sequence[Event]:
        """Every event so far."""
        return self._events

    def append(
        self,
        event: str,
        *,
        trial: str,
        number: int,
        attempt: int,
        slot: int | None = None,
        sync: bool = False,
        **data: object,
    ) -> Event:
        """Record an event; ``sync`` means nothing here."""
        seq = len(self._events) + 1
        entry = Event(event, seq, trial, number, attempt, 1, self._clock(), slot, data)
        self._events.append(entry)
        return entry

    def after(self, act: Callable[[], None]) -> None:
        """Carry ``act`` out: nothing is waited for."""
        act()

    def flush(self) -> None:
        """Nothing is on its way."""

    def close(self) -> None:
        """Nothing is open."""

    abandon = close
