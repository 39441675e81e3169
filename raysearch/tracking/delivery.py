"""Brings a tracker up to what a ledger amounts to, and tells it nothing twice."""

from collections.abc import Callable, Mapping

from raysearch.ledger import TERMINAL, Event
from raysearch.tracking.told_record import ToldRecord
from raysearch.tracking.tracker import Figures, TrackedSearch, TrackedTrial, Tracker
from raysearch.trial_records import TrialRecord, Trials

__all__ = ["Delivery"]


class Delivery:
    """Holds the ledger as far as it was heard of, and what the tracker lacks of it.

    Whatever fails stays due: the next ``deliver`` goes on where this one ended.

    Args:
        make: makes the tracker; called when something is first delivered.
        search: the search.
        told: what the tracker has been told by earlier sittings.
        trials: the trials so far; this object's own from now on.
        seq: of the last event in ``trials``.
    """

    def __init__(
        self,
        make: Callable[[], Tracker],
        search: TrackedSearch,
        told: ToldRecord,
        trials: Trials,
        seq: int,
    ) -> None:
        self._make, self._search, self._told = make, search, told
        self._trials, self._seq = trials, seq
        self._due = dict.fromkeys(n for n in sorted(trials.records) if not told.has_ended(n))
        self._begun: set[int] = set()
        self._tracker: Tracker | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the tracker has everything that was heard."""
        return not self._due

    def hear(self, event: Event) -> None:
        """Take an event of the ledger in; one that it knows already changes nothing."""
        if event.seq <= self._seq:
            return
        self._seq = event.seq
        self._trials.apply(event)
        if event.number in self._trials.records:
            self._due[event.number] = None

    def deliver(self) -> None:
        """Tell the tracker what it lacks; raises what the tracker raises."""
        tracker = self._opened()
        try:
            while self._due:
                number = next(iter(self._due))
                self._bring(tracker, self._trials.records[number])
                del self._due[number]
        finally:
            self._told.save()

    def close(self, outcome: str, figures: Figures) -> None:
        """Tell the rest, and that the sitting is over; raises what the tracker raises."""
        self.deliver()
        self._opened().close(outcome, figures)

    def _opened(self) -> Tracker:
        if self._tracker is None:
            tracker = self._make()
            self._told.save()  # the identity, by which the tracker's runs are found again
            tracker.open(self._search)
            self._tracker = tracker
        return self._tracker

    def _bring(self, tracker: Tracker, record: TrialRecord) -> None:
        number, told = record.number, self._told
        if told.has_ended(number):
            return
        if number not in self._begun:
            known = tracker.begin(_tracked(record))
            if known is not None:
                told.note_epoch(number, known)
            self._begun.add(number)
        for epoch, found in sorted(record.epochs.items()):
            if epoch > told.last_epoch(number):
                tracker.epoch(number, epoch, _figures(found.metrics))
                told.note_epoch(number, epoch)
        if record.status in TERMINAL:
            tracker.end(number, record.status, self._best(record))
            told.note_end(number)

    def _best(self, record: TrialRecord) -> Figures:
        best = {f"best_{self._trials.objective}": record.best_metric}
        return _figures({**best, "best_epoch": record.best_epoch, "train_s": record.train_s})


def _tracked(record: TrialRecord) -> TrackedTrial:
    tags = {"trial": record.trial}
    if record.published:
        tags["settings"] = "published"
    elif record.is_own:
        tags["settings"] = "own"
    if record.copied_from is not None:
        tags["copied_from"] = f"{record.copied_from:04d}"
    return TrackedTrial(record.number, dict(record.config), tags)


def _figures(values: Mapping[str, float | None]) -> Figures:
    return {name: float(value) for name, value in values.items() if value is not None}
