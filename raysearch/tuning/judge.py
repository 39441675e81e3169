"""How good a trial is so far, and whether it ends there; now, and in what a ledger tells."""

import math
from collections.abc import Sequence

from raysearch.ledger import Event
from raysearch.spec import SearchSpec
from raysearch.trials import Status, TrialRecord, Trials
from raysearch.tuning.schedulers import StopRule

__all__ = ["Judge", "resumed_from"]


def resumed_from(record: TrialRecord) -> int:
    """The epoch that a new attempt of the trial goes on from: that of its last checkpoint."""
    return record.checkpoint[1] if record.checkpoint else 0


class Judge:
    """The stop rule of ``spec``, fed with each trial's best objective value so far."""

    def __init__(self, spec: SearchSpec) -> None:
        self._objective = spec.search.objective
        self._rule = StopRule(
            spec.search.scheduler,
            max_epochs=spec.training.epochs,
            grace_epochs=spec.search.grace_epochs,
            reduction_factor=spec.search.reduction_factor,
        )

    def value(self, record: TrialRecord, epoch: int) -> float:
        """The best objective value up to ``epoch``; higher is better."""
        sign = -1.0 if self._objective == "val_loss" else 1.0
        values = [
            sign * float(value)
            for past, entry in record.epochs.items()
            if past <= epoch and (value := entry.metrics.get(self._objective)) is not None
        ]
        return max(values, default=-math.inf)

    def end(self, record: TrialRecord, epoch: int, *, done: bool) -> Status | None:
        """How ``epoch`` ends the trial: ``completed`` if ``done``, ``pruned``, or not at all.

        Published settings, and those of the sections, are what others are measured against: they
        are never pruned.
        """
        value = self.value(record, epoch)
        if done or record.details.get("exempt"):
            self._rule.record(record.number, epoch, value)
            return "completed" if done else None
        return "pruned" if self._rule.stops(record.number, epoch, value) else None

    def replay(self, events: Sequence[Event], trials: Trials) -> dict[int, Status | None]:
        """Take in what ``events``, which amount to ``trials``, tell of the epochs that count.

        They are taken in the order in which they came, so each value meets the same rivals as it
        did then. What a trial in flight did after its last checkpoint will be told again.

        Returns:
            For trials in flight, how their checkpoint's epoch ended them: their driver may have
            died between that decision and the word of it.
        """
        epochs = [event for event in events if event.event == "epoch"]
        reached = {event.number: event.data["epoch"] for event in epochs}
        ends: dict[int, Status | None] = {}
        for event in epochs:
            record, epoch = trials.records[event.number], event.data["epoch"]
            if not _counts(event, record):
                continue
            if record.status == "running" and epoch == reached[record.number]:
                ends[record.number] = self.end(record, epoch, done=bool(event.data.get("done")))
            else:  # the trial went on from there, or its end is known
                self._rule.record(record.number, epoch, self.value(record, epoch))
        return ends


def _counts(event: Event, record: TrialRecord) -> bool:
    epoch = event.data["epoch"]
    if record.copied_from is not None or epoch not in record.epochs:
        return False
    if record.status == "running" and epoch > resumed_from(record):
        return False
    return record.epochs[epoch].attempt == event.attempt
