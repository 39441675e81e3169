"""What a ledger amounts to: the state of every trial, replayed from its events."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from raysearch.config.metric_table import metric_of
from raysearch.errors import DataError
from raysearch.ledger import TERMINAL, Event
from raysearch.ledger_events import Checkpointed, Ended, EpochDone, Resumed, Started, Steered
from raysearch.trial_words import STANDINGS, html_table, standing

__all__ = ["EpochRecord", "Status", "TrialRecord", "Trials"]

Status = Literal["running", "paused", "completed", "pruned", "failed"]


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One epoch that counts. ``time`` is when it was reported, in seconds since 1970."""

    epoch: int
    attempt: int
    metrics: Mapping[str, float | None]
    train_s: float
    time: float
    num_params: int | None = None


@dataclass(repr=False)
class TrialRecord:
    """Everything that the ledger says of one trial so far.

    Attributes:
        config: searched (or published) dotted field to value.
        attempts: the highest attempt seen.
        epochs: the history that counts: an attempt that went on from the checkpoint of epoch e
            keeps the epochs <= e of the attempts before it and discards the later ones.
        best_epoch: of that history by the objective; the earliest of equals.
        best_value: the objective there, higher is better.
        best_metric: the same as the metric itself, which for a loss is lower where it is better.
        checkpoint: path and epoch of the last checkpoint.
        checkpoint_bytes: its size; 0 if that was not told.
        pauses: how often the trial has paused, to be promoted or not.
        details: what the started event held besides ``config``.
    """

    trial: str
    number: int
    config: dict[str, object]
    started: float
    details: dict[str, object] = field(default_factory=dict)
    status: Status = "running"
    attempts: int = 1
    epochs: dict[int, EpochRecord] = field(default_factory=dict)
    best_epoch: int | None = None
    best_value: float | None = None
    best_metric: float | None = None
    checkpoint: tuple[str, int] | None = None
    checkpoint_bytes: int = 0
    pauses: int = 0
    reason: str | None = None
    copied_from: int | None = None
    slot: int | None = None
    ended: float | None = None

    def __repr__(self) -> str:
        """Say in one line how it stands."""
        text = f"{self.number:04d}: {self.standing}"
        if self.reason and self.status == "failed":
            text += f": {' '.join(self.reason.split())}"
        if self.best_metric is not None:
            text += f", best {self.best_metric:.4g} at epoch {self.best_epoch} of {self.last_epoch}"
        return f"TrialRecord({text})"

    def _repr_html_(self) -> str:
        """As a notebook shows it: how it stands, the metrics of its best epoch, its settings."""
        best = self.epochs.get(self.best_epoch or 0)
        metrics = best.metrics if best else {}
        parts = {f"at epoch {self.best_epoch}": metrics, "settings": self.config}
        return html_table(repr(self), parts)

    @property
    def standing(self) -> str:
        """How it stands, in a reader's words: its status, but for one that was stopped."""
        return standing(self.status, self.reason)

    @property
    def never_pruned(self) -> bool:
        """Whether it trains all its epochs whatever the stop rule says; ``exempt`` in a ledger."""
        return bool(self.details.get("exempt"))

    @property
    def published(self) -> bool:
        """Whether its settings are the published ones."""
        return bool(self.details.get("published"))

    @property
    def seed(self) -> int:
        """Its own seed."""
        seed = self.details["seed"]
        assert isinstance(seed, int)
        return seed

    @property
    def is_own(self) -> bool:
        """Whether its settings are the space's own, which a search is measured by."""
        return self.never_pruned and not self.published

    @property
    def last_epoch(self) -> int:
        """Epochs done; 0 before the first."""
        return max(self.epochs, default=0)

    @property
    def train_s(self) -> float:
        """Seconds of training and validation in the epochs that count."""
        return sum(epoch.train_s for epoch in self.epochs.values())

    def best_within(self, epochs: int, metric: str) -> float | None:
        """The best value of ``metric`` in its first ``epochs`` epochs; None if there is none."""
        values = [
            value
            for number, record in self.epochs.items()
            if number <= epochs and (value := record.metrics.get(metric)) is not None
        ]
        return max(values, key=metric_of(metric).signed, default=None)

    def apply(self, event: Event, objective: str) -> None:
        """Update the record by one more event of its trial."""
        self.slot = event.slot if event.slot is not None else self.slot
        if event.event == "epoch":
            self._epoch(event, objective)
        elif event.event == "checkpoint":
            if event.attempt >= self.attempts:
                told = event.told(Checkpointed)
                self.checkpoint, self.checkpoint_bytes = (told.path, told.epoch), told.bytes or 0
        elif event.event == "paused":
            self.status, self.pauses = "paused", self.pauses + 1
        elif event.event == "resumed":
            self._resume(event, objective)
        elif event.event in TERMINAL:
            self.status = cast("Status", event.event)
            end = event.told(Ended)
            self.reason = end.reason
            self._copy(end.copied_from)
            self.ended = event.time
            self.attempts = max(self.attempts, event.attempt)
        elif event.event == "started":
            self._copy(event.told(Started).copied_from)

    def _copy(self, number: int | None) -> None:
        self.copied_from = self.copied_from if number is None else number

    def _epoch(self, event: Event, objective: str) -> None:
        told = event.told(EpochDone)
        epoch = told.epoch
        if event.attempt < self.attempts:
            return
        if event.attempt > self.attempts:
            raise DataError(f"trial {self.number}: attempt {event.attempt} was never resumed")
        if epoch in self.epochs:
            raise DataError(f"trial {self.number}: epoch {epoch} twice in one attempt")
        self.epochs[epoch] = EpochRecord(
            epoch,
            event.attempt,
            told.metrics,
            event.train_s,
            event.time,
            told.num_params,
        )
        self._rank(self.epochs[epoch], objective)

    def _resume(self, event: Event, objective: str) -> None:
        if event.attempt <= self.attempts:
            raise DataError(f"trial {self.number}: attempt {event.attempt} resumed twice")
        self.attempts, self.status = event.attempt, "running"
        kept = event.told(Resumed).epoch
        self.epochs = {e: record for e, record in self.epochs.items() if e <= kept}
        self.best_epoch = self.best_value = self.best_metric = None
        for record in self.epochs.values():
            self._rank(record, objective)
        if self.checkpoint and self.checkpoint[1] > kept:
            self.checkpoint, self.checkpoint_bytes = None, 0

    def _rank(self, record: EpochRecord, objective: str) -> None:
        metric = record.metrics.get(objective)
        if metric is None:
            return
        value = metric_of(objective).signed(metric)
        if self.best_value is None or value > self.best_value:
            self.best_epoch, self.best_value, self.best_metric = record.epoch, value, metric


class Trials:
    """Every trial of a search by number. A driver applies events as it writes them.

    Attributes:
        records: the trials.
        steered: what somebody asked for while the search ran, by the commands' ids.
        asked: settings that somebody asked for and that no trial has begun yet, by those ids.
    """

    def __init__(self, objective: str = "val_uar") -> None:
        self.objective = objective
        self.records: dict[int, TrialRecord] = {}
        self.steered: dict[str, Steered] = {}
        self.asked: dict[str, Mapping[str, object]] = {}
        self._any_paused = False

    def __repr__(self) -> str:
        """Say in one line how many trials stand how."""
        counts = ", ".join(f"{number} {word}" for word, number in self.counts.items())
        return f"Trials(by {self.objective}: {counts or 'none'})"

    @property
    def counts(self) -> dict[str, int]:
        """How many trials stand how, in a reader's words; those that run come last."""
        found = Counter(record.standing for record in self.records.values())
        return {word: found[word] for word in STANDINGS if found[word]}

    @classmethod
    def replay(cls, events: Iterable[Event], objective: str = "val_uar") -> "Trials":
        """Build the state that ``events`` lead to.

        Raises:
            DataError: an order of events that no search writes, such as a second end.
        """
        trials = cls(objective)
        for event in events:
            trials.apply(event)
        return trials

    @property
    def stopped_by_hand(self) -> set[int]:
        """Numbers of the trials that somebody asked to be stopped, ended or not."""
        return {one.target for one in self.steered.values() if one.target is not None}

    @property
    def all_failed(self) -> bool:
        """Whether there are trials, and every one of them failed."""
        return 0 < len(self.records) == len(self.with_status("failed"))

    @property
    def num_added(self) -> int:
        """Trials that were added to those that the search was to have."""
        added = {"more-trials": 0, "try": 1}
        commands = [one for one in self.steered.values() if one.action in added]
        return sum(int(one.amount or added[one.action]) for one in commands)

    def apply(self, event: Event) -> None:
        """Take one event in."""
        if event.event == "steered":
            self._steer(event.told(Steered))
            return
        record = self.records.get(event.number)
        if event.event == "started":
            if record is not None:
                raise DataError(f"trial {event.number} started twice")
            details = {key: value for key, value in event.data.items() if key != "config"}
            record = TrialRecord(
                event.trial, event.number, dict(event.told(Started).config), event.time, details
            )
            record.attempts = event.attempt
            self.records[event.number] = record
            self.asked.pop(event.told(Started).asked or "", None)
        if record is None or record.trial != event.trial:
            raise DataError(f"trial {event.number} ({event.trial}): {event.event!r} without start")
        over = record.status in TERMINAL and event.event != "checkpoint"
        if over or (record.status == "paused" and event.event in ("epoch", "paused")):
            raise DataError(f"trial {event.number}: {event.event!r} after it was {record.status}")
        record.apply(event, self.objective)
        self._any_paused = self._any_paused or event.event == "paused"
        if record.copied_from is not None:
            source = self.records.get(record.copied_from)
            if source is None:
                raise DataError(f"trial {event.number}: copied from a trial that is not there")
            record.epochs, record.checkpoint = source.epochs, source.checkpoint
            record.best_epoch, record.best_value = source.best_epoch, source.best_value
            record.best_metric = source.best_metric

    def _steer(self, command: Steered) -> None:
        self.steered[command.id] = command
        if command.values is not None:
            self.asked[command.id] = command.values

    def with_status(self, status: Status) -> list[TrialRecord]:
        """The trials of one status, by number; ``running`` are those in flight or waiting."""
        return [r for _, r in sorted(self.records.items()) if r.status == status]

    def ranked(self) -> list[TrialRecord]:
        """Trials with a value, best first, the lower number first among equals.

        Those that are ``behind`` come after the others.
        """
        scored = [
            (self.behind(record), -record.best_value, record.number)
            for record in self.records.values()
            if record.best_value is not None
        ]
        return [self.records[number] for _, _, number in sorted(scored)]

    def behind(self, record: TrialRecord) -> bool:
        """Whether the trial ranks after those that reached their end, whatever its value.

        So do those that were stopped or are under way, as the maximum over fewer epochs is another
        quantity than that over all. Not so where trials pause: what ends such a trial is the end of
        the search, however well it did, and more epochs could only have raised its best value.
        """
        if self._any_paused:
            return record.status == "failed"
        return record.status != "completed"

    @property
    def num_epochs(self) -> int:
        """Epochs that count, over all trials: what an epoch budget has spent."""
        return sum(len(r.epochs) for r in self.records.values() if r.copied_from is None)
