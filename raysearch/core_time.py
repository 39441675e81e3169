"""How long a search has held its slots: what core budgets and forecasts count."""

from collections.abc import Iterable

from raysearch.ledger import Event

__all__ = ["SlotSeconds"]


class SlotSeconds:
    """Seconds from each slot's first epoch's beginning to its last word, over all drivers' slots.

    Slots come and go: one that took another's place has a number of its own. The CPUs of a slot
    times these seconds are core-seconds.

    Args:
        events: the ledger so far.

    Attributes:
        total: of all slots.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._spans: dict[tuple[int, int], tuple[float, float]] = {}
        self.total = 0.0
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Update the count by one more event."""
        if event.slot is None:
            return
        slot = (event.fence, event.slot)
        began = event.time - event.train_s
        first, last = self._spans.get(slot, (began, began))
        self._spans[slot] = min(first, began), max(last, event.time)
        self.total += (self._spans[slot][1] - self._spans[slot][0]) - (last - first)
