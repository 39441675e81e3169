"""Writes the ledger of a search, and tells whoever watches it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from raysearch.config.identity import seed_from
from raysearch.errors import InfrastructureError, StorageRefusedError
from raysearch.ledger import Event, LedgerStore
from raysearch.trial_records import TrialRecord, Trials
from raysearch.tuning.proposals import Proposal
from raysearch.workers.epoch_report import EpochReport

__all__ = ["Chronicle", "Observer"]

logger = logging.getLogger("ray.raysearch")


class Observer(Protocol):
    """What a chronicle needs of whoever watches a search, such as the live table."""

    def changed(self, trials: Trials, event: Event) -> None:
        """Hear that ``event`` was written; ``trials`` holds it already."""


class Chronicle:
    """Writes events into the ledger, then tells the observers.

    Args:
        ledger: where they go.
        trials: what they amount to.
        observers: are told of each.
        on_slot: the slot of each trial in flight, kept by whoever assigns them.
    """

    def __init__(
        self,
        ledger: LedgerStore,
        trials: Trials,
        observers: Sequence[Observer],
        on_slot: Mapping[int, int],
    ) -> None:
        self._ledger, self._trials, self._observers = ledger, trials, observers
        self._on_slot = on_slot

    def started(self, number: int, proposal: Proposal) -> TrialRecord:
        """Write that trial ``number`` was proposed, and return its record."""
        self._write(
            "started",
            trial=proposal.trial,
            number=number,
            attempt=1,
            config=proposal.values,
            seed=seed_from(proposal.trial),
            published=proposal.published,
            exempt=proposal.never_pruned,  # the word that ledgers have for it from the first on
        )
        return self._trials.records[number]

    def epoch(self, record: TrialRecord, report: EpochReport) -> None:
        """Write that the trial trained an epoch."""
        told: dict[str, Any] = {"workers": report.workers} if report.workers else {}
        if report.done:
            told["done"] = True
        self._tell(
            "epoch",
            record,
            epoch=report.epoch,
            metrics=report.metrics,
            train_s=report.train_s,
            num_params=report.num_params,
            **told,
        )

    def checkpoint(self, record: TrialRecord, path: str, epoch: int, size: int) -> None:
        """Write that the trial has a new checkpoint.

        It is synced to disk at once, as the checkpoint before is removed next.
        """
        self._tell("checkpoint", record, sync=True, path=path, epoch=epoch, bytes=size)

    def paused(self, record: TrialRecord) -> None:
        """Write that the trial pauses, so that others can train."""
        self._tell("paused", record, sync=True, epoch=record.last_epoch)

    def resumed(
        self, record: TrialRecord, attempt: int, epoch: int, *, promoted: bool = False
    ) -> None:
        """Write that ``attempt`` goes on from the end of ``epoch``, promoted or after a loss."""
        told = {"promoted": True} if promoted else {}
        self._tell("resumed", record, attempt=attempt, epoch=epoch, **told)

    def ended(self, record: TrialRecord, status: str, **data: Any) -> None:
        """Write that the trial is over."""
        self._tell(status, record, sync=True, **data)

    def _tell(
        self, event: str, record: TrialRecord, attempt: int | None = None, **data: Any
    ) -> None:
        slot = self._on_slot.get(record.number)
        self._write(
            event,
            trial=record.trial,
            number=record.number,
            attempt=attempt or record.attempts,
            slot=slot,
            **data,
        )

    def _write(self, event: str, *, sync: bool = False, **data: Any) -> None:
        # What observers draw can be drawn again: a disk that is full for them ends no search.
        written = self._ledger.append(event, sync=sync, **data)
        self._trials.apply(written)
        for observer in self._observers:
            try:
                observer.changed(self._trials, written)
            except (OSError, InfrastructureError, StorageRefusedError) as error:
                logger.warning("%s: %s", type(observer).__name__, error)
