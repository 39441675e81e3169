"""Writes the ledger of a search, and tells whoever watches it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from raysearch.config.identity import seed_from
from raysearch.errors import InfrastructureError, StorageRefusedError
from raysearch.ledger import WHOLE, Event, LedgerStore
from raysearch.ledger_events import (
    Checkpointed,
    Ended,
    EpochDone,
    EventData,
    Paused,
    Resumed,
    Started,
    Steered,
    line_of,
)
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
            data=Started(
                proposal.values,
                seed=seed_from(proposal.trial),
                published=proposal.published,
                exempt=proposal.never_pruned,  # the word that ledgers have for it from the first on
                asked=proposal.asked,
            ),
        )
        return self._trials.records[number]

    def steered(self, command: Steered) -> None:
        """Write what somebody asked for, before it is done."""
        self._write("steered", trial=WHOLE, number=-1, attempt=1, data=command, sync=True)

    def epoch(self, record: TrialRecord, report: EpochReport) -> None:
        """Write that the trial trained an epoch."""
        told = EpochDone(
            report.epoch,
            report.metrics,
            train_s=report.train_s,
            num_params=report.num_params,
            workers=report.workers or None,
            done=report.done or None,
        )
        self._tell("epoch", record, told)

    def checkpoint(self, record: TrialRecord, path: str, epoch: int, size: int) -> None:
        """Write that the trial has a new checkpoint.

        It is synced to disk at once, as the checkpoint before is removed next.
        """
        self._tell("checkpoint", record, Checkpointed(path, epoch, size), sync=True)

    def paused(self, record: TrialRecord) -> None:
        """Write that the trial pauses, so that others can train."""
        self._tell("paused", record, Paused(record.last_epoch), sync=True)

    def resumed(
        self, record: TrialRecord, attempt: int, epoch: int, *, promoted: bool = False
    ) -> None:
        """Write that ``attempt`` goes on from the end of ``epoch``, promoted or after a loss."""
        self._tell("resumed", record, Resumed(epoch, promoted or None), attempt=attempt)

    def ended(
        self,
        record: TrialRecord,
        status: str,
        *,
        reason: str | None = None,
        copied_from: int | None = None,
    ) -> None:
        """Write that the trial is over."""
        self._tell(status, record, Ended(reason, copied_from), sync=True)

    def _tell(
        self,
        event: str,
        record: TrialRecord,
        data: EventData,
        *,
        attempt: int | None = None,
        sync: bool = False,
    ) -> None:
        slot = self._on_slot.get(record.number)
        self._write(
            event,
            trial=record.trial,
            number=record.number,
            attempt=attempt or record.attempts,
            slot=slot,
            data=data,
            sync=sync,
        )

    def _write(
        self,
        event: str,
        *,
        trial: str,
        number: int,
        attempt: int,
        data: EventData,
        slot: int | None = None,
        sync: bool = False,
    ) -> None:
        written = self._ledger.append(
            event,
            trial=trial,
            number=number,
            attempt=attempt,
            slot=slot,
            sync=sync,
            **line_of(data),
        )
        self._trials.apply(written)
        for observer in self._observers:
            # What observers draw can be drawn again: a disk that is full for them ends no search.
            try:
                observer.changed(self._trials, written)
            except (OSError, InfrastructureError, StorageRefusedError) as error:
                logger.warning("%s: %s", type(observer).__name__, error)
