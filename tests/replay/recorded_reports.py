"""What workers reported, as the ledger lets one tell it from what the conductor wrote then."""

from pathlib import Path
from typing import Any

from raysearch_names import TERMINAL, EpochReport, Event, Fault
from recorded_ledger import RecordedLedger, diverged

__all__ = ["RecordedReports"]

LAST = ("checkpoint", "paused", *TERMINAL)


class RecordedReports:
    """The report that made the conductor write the ledger's next event.

    Args:
        ledger: the ledger.
        folder: the run's, which the paths of checkpoints count from.
    """

    def __init__(self, ledger: RecordedLedger, folder: Path) -> None:
        self._ledger, self._folder = ledger, folder

    def of_training(self, event: Event, slot: int) -> EpochReport:
        """What the worker group on ``slot`` said of the trial that it trains."""
        own = [later for later in self._ledger.rest() if later.number == event.number]
        if event.event == "resumed" and event.slot is not None:
            own = own[1:]  # the group started it again, and tells so with the next epoch
        if own[0].event == "epoch":
            return self._epoch(own[0])
        published = self._published(own.pop(0)) if own[0].event == "checkpoint" else {}
        end = own[0] if own else event
        if end.event == "failed":
            reason = end.data["reason"]
            return EpochReport(end.number, end.attempt, done=True, failed=reason, **published)
        if end.event == "resumed" and end.slot is None:
            return self._loss(end, slot, published)
        raise diverged(event, "the trial trains on")

    def last(self, event: Event) -> EpochReport:
        """What the group said of a trial that was let go."""
        if event.event not in LAST:
            raise diverged(event, "the trial was let go")
        lost = {"failed": "lost", "slot_lost": True} if event.slot is None else {}
        published = self._published(event) if event.event == "checkpoint" else {}
        return EpochReport(event.number, attempt=event.attempt, done=True, **lost, **published)

    def _epoch(self, event: Event) -> EpochReport:
        """With the checkpoint that was written next, if one was."""
        following = next((one for one in self._ledger.rest() if one.seq == event.seq + 1), event)
        with_it = (following.event, following.number) == ("checkpoint", event.number)
        data = event.data
        return EpochReport(
            event.number,
            attempt=event.attempt,
            epoch=data["epoch"],
            metrics=data["metrics"],
            train_s=data["train_s"],
            num_params=data["num_params"],
            workers=data.get("workers", 0),
            done=data.get("done", False),
            **(self._published(following) if with_it else {}),
        )

    def _loss(self, event: Event, slot: int, published: dict[str, Any]) -> EpochReport:
        return EpochReport(
            event.number,
            attempt=event.attempt - 1,
            done=True,
            failed="lost",
            fault=Fault.SLOT,
            slot_lost=all(later.slot != slot for later in self._ledger.rest()),
            **published,
        )

    def _published(self, event: Event) -> dict[str, Any]:
        return {
            "checkpoint": str(self._folder / event.data["path"]),
            "checkpoint_epoch": event.data["epoch"],
            "checkpoint_bytes": event.data["bytes"],
        }
