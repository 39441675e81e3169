"""What each slot of a search did, and when: the timeline's spans."""

from collections.abc import Sequence
from dataclasses import dataclass

from raysearch.ledger import TERMINAL, Event
from raysearch.trial_words import standing

__all__ = ["Span", "spans_of"]


@dataclass(frozen=True, slots=True)
class Span:
    """What a slot did without a break: one trial, from epoch to epoch.

    Attributes:
        slot: the slot's number, over all sittings of the search.
        sitting: which driver's.
        start, end: in seconds since the search began, without those between sittings.
        status: how it ended, in the words of a trial's standing; ``lost`` where nothing was told.
    """

    slot: int
    sitting: int
    number: int
    start: float
    end: float
    epochs: int
    status: str


class _Open:
    """A span that may go on."""

    def __init__(self, event: Event, start: float) -> None:
        self.event, self.start, self.end = event, start, start
        self.epochs = 0

    def closed(self, sitting: "_Sitting", status: str) -> Span:
        start, end = (round(at - sitting.offset, 2) for at in (self.start, self.end))
        assert self.event.slot is not None
        slot, number = self.event.slot, self.event.number
        return Span(slot, sitting.number, number, start, end, self.epochs, status)


@dataclass(frozen=True, slots=True)
class _Sitting:
    """One driver's part of the search; ``offset`` is subtracted from its times."""

    number: int
    offset: float


def _sittings(events: Sequence[Event]) -> dict[int, _Sitting]:
    """Every sitting by its fence, each beginning where the one before it ended."""
    found: dict[int, _Sitting] = {}
    spent = 0.0
    for number, fence in enumerate(dict.fromkeys(event.fence for event in events)):
        own = [event for event in events if event.fence == fence]
        began = min(event.time - event.train_s for event in own)
        found[fence] = _Sitting(number, began - spent)
        spent += max(event.time for event in own) - began
    return found


def spans_of(events: Sequence[Event]) -> list[Span]:
    """Find what each slot did, in the order in which it ended."""
    spans: list[Span] = []
    open_: dict[tuple[int, int], _Open] = {}
    sittings = _sittings(events)
    for event in events:
        if event.slot is None:
            continue
        slot, sitting = (event.fence, event.slot), sittings[event.fence]
        span = open_.get(slot)
        if span is not None and span.event.number != event.number:
            spans.append(open_.pop(slot).closed(sitting, "lost"))
            span = None
        if span is None:
            span = open_[slot] = _Open(event, event.time - event.train_s)
        span.end, span.epochs = event.time, span.epochs + (event.event == "epoch")
        if event.event in TERMINAL or event.event == "paused":
            status = standing(event.event, event.data.get("reason"))
            spans.append(open_.pop(slot).closed(sitting, status))
    newest = max(sittings, default=0)
    for (fence, _), one in open_.items():
        spans.append(one.closed(sittings[fence], "running" if fence == newest else "lost"))
    return spans
