"""The driver's one mind: which trial next, what each report means, and the ledger of it all.

It knows no Tune and starts nothing; :mod:`raysearch.tuning.adapters` shows it to Tune as a
searcher and a scheduler. Every decision is written to the ledger before it is acted on.
"""

import contextlib
import shutil
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from raysearch.config.identity import seed_from
from raysearch.config.search import SearchConfig
from raysearch.errors import ConfigError, InfrastructureError
from raysearch.ledger import Event, LedgerStore
from raysearch.spec import SearchSpec, TrialConfig, published_values, trial_identity
from raysearch.trials import TrialRecord, Trials
from raysearch.tuning.schedulers import StopRule
from raysearch.tuning.study import Study
from raysearch.tuning.trial import EpochReport

__all__ = ["Assignment", "Conductor", "Observer", "Slots"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A trial and the slot it goes to."""

    number: int
    slot: int
    label: str
    task: dict[str, Any]


class Observer(Protocol):
    """Whoever watches a search: the live table, TensorBoard, the leaderboard."""

    def changed(self, trials: Trials, event: Event) -> None:
        """``event`` was written and ``trials`` holds it."""


class Slots(Protocol):
    """What the conductor asks of the pool of worker groups."""

    def free(self) -> list[int]:
        """Slots that could take a trial now, those that are up first."""

    def occupy(self, slot: int) -> None:
        """A trial goes to ``slot``."""

    def release(self, slot: int) -> None:
        """The trial on ``slot`` has ended."""

    def lose(self, slot: int) -> int:
        """``slot`` takes no more trials; how many slots are left."""

    def finish(self, slot: int, number: int) -> dict[str, Any]:
        """Have ``slot`` publish the checkpoint of trial ``number`` and let it go."""


class Conductor:
    """Proposes trials, judges their reports, keeps the ledger.

    Args:
        spec: the search.
        folder: the run's folder.
        ledger: where events go; what it already holds is taken up.
        slots: where trials run.
        study: the sampler, empty.
        split_identity: what of the data belongs to a trial's identity.
        task: what every task holds besides its own settings.
        data: resolved settings to what opens their data.
        observers: whoever watches.
    """

    def __init__(
        self,
        spec: SearchSpec,
        folder: Path,
        ledger: LedgerStore,
        slots: Slots,
        study: Study,
        *,
        split_identity: Mapping[str, Any],
        task: Mapping[str, Any],
        data: Callable[[TrialConfig], Mapping[str, Any]],
        observers: Sequence[Observer] = (),
    ) -> None:
        self._spec, self._search = spec, spec.search
        self._folder, self._ledger, self._slots, self._study = folder, ledger, slots, study
        self._split_identity, self._task, self._data = split_identity, task, data
        self._observers = observers
        self._stop_rule = _stop_rule(spec)
        self._deadline = _deadline(self._search)
        self._waiting: deque[int] = deque()
        self._on_slot: dict[int, int] = {}
        self._identities: dict[str, int] = {}
        self._published: set[Path] = set()
        self.trials = Trials(self._search.objective)
        self.stopping: str | None = None
        self.error: InfrastructureError | None = None
        self._take_up(ledger.events)

    # ---- proposing ---------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether no further trial will be proposed."""
        self._check_budgets()
        exhausted = len(self.trials.records) >= self._search.trials and not self._waiting
        return self.stopping is not None or exhausted

    @property
    def idle(self) -> bool:
        """Whether no trial is in flight."""
        return not self._on_slot

    def next_trial(self) -> Assignment | None:
        """The next trial and its slot, or ``None`` while no slot is free."""
        free = self._slots.free()
        while free and not self.finished:
            number = self._waiting.popleft() if self._waiting else self._propose()
            if number is not None:
                return self._assign(self.trials.records[number], free[0])
        return None

    def _propose(self) -> int | None:
        """Ask for the next settings and write them down; ``None`` if they ended at once."""
        number = len(self.trials.records)
        published = number == 0 and self._publishes()
        if published:
            values = published_values(self._spec)
            self._study.enqueue(number, self._searched(values), label="published settings")
        else:
            values = self._study.propose(number)
        try:
            identity = self._identity(self._spec.resolve(values))
        except ConfigError as error:
            identity = trial_identity(self._spec.base, values, 0, self._search.seed)
            self._write("started", identity, number, 1, config=values)
            self._end(self.trials.records[number], "failed", reason=str(error))
            return None
        twin = self._identities.get(identity)
        seed = seed_from(identity)
        self._write("started", identity, number, 1, config=values, seed=seed, published=published)
        if twin is not None and self.trials.records[twin].status in ("completed", "pruned"):
            self._copy(number, self.trials.records[twin])
            return None
        self._identities[identity] = number
        return number

    def _copy(self, number: int, source: TrialRecord) -> None:
        """The same settings give the same outcome: a repeated proposal is not run again."""
        for epoch in source.epochs.values():
            self._study.report(number, epoch.epoch, self._value(source, epoch.epoch))
        record = self.trials.records[number]
        self._end(record, source.status, copied_from=source.number)

    def _assign(self, record: TrialRecord, slot: int) -> Assignment:
        number = record.number
        self._slots.occupy(slot)
        self._on_slot[number] = slot
        config = self._config_of(record)
        task = {
            **self._task,
            "number": number,
            "trial": record.trial,
            "attempt": record.attempts,
            "config": config.to_dict(),
            "seed": record.details["seed"],
            "objective": self._search.objective,
            "resume": str(self._folder / record.checkpoint[0]) if record.checkpoint else None,
            "folder": str(self._folder / "checkpoints" / f"{number:04d}"),
            "data": self._data(config),
        }
        rate = f"lr={config.training.learning_rate:.2g}"
        return Assignment(number, slot, f"trial {number:04d} {config.model.name} {rate}", task)

    # ---- judging -----------------------------------------------------------------------------

    def take(self, report: EpochReport) -> bool:
        """Take one report in; whether its trial stops here."""
        record = self.trials.records[report.number]
        if record.status != "running" or report.number not in self._on_slot:
            return True
        if report.failed:
            self._failed(record, report)
            return True
        if self._told_before(record, report) and not report.done:
            return False
        self._epoch(record, report)
        if report.checkpoint:
            self._checkpoint(record, report.checkpoint, report.checkpoint_epoch)
        if report.done:
            self._stop_rule.ended(record.number, report.epoch, self._value(record, report.epoch))
            self._end(record, "completed")
            return True
        self._check_budgets()
        if self.stopping:
            self._finish(record)
            self._leave(record)
            return True
        if self._stops(record, report.epoch):
            self._finish(record)
            self._end(record, "pruned", reason=f"stopped by {self._search.scheduler}")
            return True
        return False

    def stop(self, reason: str) -> None:
        """Propose nothing more; each trial in flight ends with its current epoch, resumable."""
        self.stopping = self.stopping or reason

    def lost(self, number: int) -> None:
        """The trial's Tune actor died more often than Tune restarts it."""
        record = self.trials.records[number]
        if record.status == "running" and number in self._on_slot:
            self._end(record, "failed", reason="its Tune actor died too often")

    def _told_before(self, record: TrialRecord, report: EpochReport) -> bool:
        """Whether a proxy that took over repeats what its predecessor reported."""
        return report.attempt < record.attempts or (
            report.attempt == record.attempts and report.epoch in record.epochs
        )

    def _epoch(self, record: TrialRecord, report: EpochReport) -> None:
        if report.attempt > record.attempts:
            self._resumed(record, report.attempt, report.epoch - 1)
        if self._told_before(record, report):
            return  # resumed from its last epoch, which is counted already
        self._write(
            "epoch",
            record.trial,
            record.number,
            record.attempts,
            epoch=report.epoch,
            metrics=report.metrics,
            train_s=report.train_s,
            num_params=report.num_params,
        )
        self._study.report(record.number, report.epoch, self._value(record, report.epoch))

    def _stops(self, record: TrialRecord, epoch: int) -> bool:
        return self._stop_rule.stops(
            record.number,
            epoch,
            self._value(record, epoch),
            exempt=bool(record.details.get("published")),
        )

    def _failed(self, record: TrialRecord, report: EpochReport) -> None:
        if not report.slot_lost:
            self._end(record, "failed", reason=report.failed)
            return
        slot = self._leave(record)
        if self._slots.lose(slot) == 0:
            self.error = InfrastructureError(f"no slot is left: {report.failed}")
            self.stopping = "lost infrastructure"
        else:
            epoch = record.checkpoint[1] if record.checkpoint else 0
            self._resumed(record, record.attempts + 1, epoch)
            self._waiting.append(record.number)

    def _resumed(self, record: TrialRecord, attempt: int, epoch: int) -> None:
        self._write("resumed", record.trial, record.number, attempt, epoch=epoch)

    def _finish(self, record: TrialRecord) -> None:
        """Have the slot publish what it holds, so that the end is written after the weights."""
        result = self._slots.finish(self._on_slot[record.number], record.number)
        if result.get("checkpoint"):
            self._checkpoint(record, result["checkpoint"], result["checkpoint_epoch"])

    def _checkpoint(self, record: TrialRecord, path: str, epoch: int) -> None:
        relative = str(Path(path).relative_to(self._folder))
        self._write(
            "checkpoint", record.trial, record.number, record.attempts, path=relative, epoch=epoch
        )
        self._published.add(Path(path))
        self._discard_checkpoints()

    def _end(self, record: TrialRecord, status: str, **data: Any) -> None:
        slot = self._on_slot.get(record.number)
        self._write(status, record.trial, record.number, record.attempts, sync=True, **data)
        last = record.last_epoch
        value = self._value(record, last) if last else None
        self._study.finish(record.number, status, value)
        if slot is not None:
            self._leave(record)
        self._discard_checkpoints()

    def _leave(self, record: TrialRecord) -> int:
        slot = self._on_slot.pop(record.number)
        self._slots.release(slot)
        return slot

    # ---- the past ----------------------------------------------------------------------------

    def _take_up(self, events: Sequence[Event]) -> None:
        """Rebuild study, stop rule and trials from the ledger; queue what was in flight."""
        for event in events:
            self.trials.apply(event)
        for number, record in sorted(self.trials.records.items()):
            self._study.enqueue(number, self._searched(record.config))
            if record.copied_from is None:
                self._identities.setdefault(record.trial, number)
            if record.status == "running":
                self._requeue(record)
                continue
            stopped = self._replay(record, record.last_epoch)
            if record.status == "completed" and record.copied_from is None and not stopped:
                last = record.last_epoch
                self._stop_rule.ended(number, last, self._value(record, last))
            last_value = self._value(record, record.last_epoch) if record.epochs else None
            self._study.finish(number, record.status, last_value)
        self._sweep_checkpoints()

    def _requeue(self, record: TrialRecord) -> None:
        epoch = record.checkpoint[1] if record.checkpoint else 0
        self._resumed(record, record.attempts + 1, epoch)
        # The driver may have died between a stop's checkpoint and its terminal event.
        if self._replay(record, epoch):
            self._end(record, "pruned", reason=f"stopped by {self._search.scheduler}")
        else:
            self._waiting.append(record.number)

    def _replay(self, record: TrialRecord, last: int) -> bool:
        """Tell study and stop rule the epochs up to ``last``; whether it stops at the last."""
        stopped = False
        for epoch in range(1, last + 1):
            self._study.report(record.number, epoch, self._value(record, epoch))
            if record.copied_from is None and not stopped:
                stopped = self._stops(record, epoch)
        return stopped

    # ---- small things ------------------------------------------------------------------------

    def _write(
        self, event: str, trial: str, number: int, attempt: int, *, sync: bool = False, **data: Any
    ) -> None:
        slot = self._on_slot.get(number)
        written = self._ledger.append(
            event, trial=trial, number=number, attempt=attempt, slot=slot, sync=sync, **data
        )
        self.trials.apply(written)
        for observer in self._observers:
            observer.changed(self.trials, written)

    def _publishes(self) -> bool:
        return self._search.published_first and bool(self._spec.published.settings)

    def _identity(self, config: TrialConfig) -> str:
        search = self._search
        return trial_identity(config, self._split_identity, search.workers, search.seed)

    def _config_of(self, record: TrialRecord) -> TrialConfig:
        return self._spec.resolve(record.config)

    def _searched(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Every searched field's value in a trial of ``values``."""
        fields = self._spec.base.fields()
        return {name: values.get(name, fields[name]) for name in self._spec.space.fields}

    def _value(self, record: TrialRecord, epoch: int) -> float:
        """The best objective value up to ``epoch``; higher is better."""
        sign = -1.0 if self._search.objective == "val_loss" else 1.0
        values = [
            sign * float(value)
            for past, entry in record.epochs.items()
            if past <= epoch and (value := entry.metrics.get(self._search.objective)) is not None
        ]
        return max(values, default=float("-inf"))

    def _check_budgets(self) -> None:
        search = self._search
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self.stop("time budget")
        if search.epoch_budget is not None and self.trials.num_epochs >= search.epoch_budget:
            self.stop("epoch budget")

    def _kept(self) -> set[Path]:
        """The last checkpoint of each live trial, and those of the best ended ones."""
        ended = [r for r in self.trials.ranked() if r.status != "running" and r.checkpoint]
        live = self.trials.with_status("running")
        kept = [*ended[: self._search.keep_best], *live]
        return {self._folder / r.checkpoint[0] for r in kept if r.checkpoint}

    def _discard_checkpoints(self) -> None:
        """Remove what the ledger knows and nobody needs; a worker may be writing the rest."""
        kept = self._kept()
        for path in self._published - kept:
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):  # the trial has others
                path.parent.rmdir()
        self._published &= kept

    def _sweep_checkpoints(self) -> None:
        """No worker runs yet, so whatever is not kept was left behind by an earlier driver."""
        self._published = self._kept()
        for path in (self._folder / "checkpoints").glob("*/*"):
            if path not in self._published:
                shutil.rmtree(path, ignore_errors=True)


def _stop_rule(spec: SearchSpec) -> StopRule:
    return StopRule(
        spec.search.scheduler,
        max_epochs=spec.training.epochs,
        grace_epochs=spec.search.grace_epochs,
        reduction_factor=spec.search.reduction_factor,
    )


def _deadline(search: SearchConfig) -> float | None:
    budget = search.time_budget_s
    return None if budget is None else time.monotonic() + budget
