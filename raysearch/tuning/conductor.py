"""The driver's one mind: which trial next, what each report means, and the ledger of it all.

It knows no Tune and starts nothing; :mod:`raysearch.tuning.adapters` shows it to Tune as a
searcher and a scheduler. Every decision is written to the ledger before it is acted on.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from raysearch.errors import InfrastructureError
from raysearch.ledger import Event, LedgerStore
from raysearch.spec import SearchSpec, TrialConfig
from raysearch.trials import TrialRecord, Trials
from raysearch.tuning.budgets import NOTHING, Budgets, Spent
from raysearch.tuning.checkpoint_keeper import CheckpointKeeper
from raysearch.tuning.chronicle import Chronicle, Observer
from raysearch.tuning.faults import Fault
from raysearch.tuning.judge import Judge, resumed_from
from raysearch.tuning.proposals import Proposals
from raysearch.tuning.slots import Assignment, Slots, assignment
from raysearch.tuning.study import Study
from raysearch.tuning.tolerance import ValidationNoise
from raysearch.tuning.trial import EpochReport
from raysearch.tuning.waiting import SlotHealth, Waiting

__all__ = ["Conductor"]


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
        slot_cpus: CPUs of one slot, for a core budget.
        reserve: wall seconds that the end of the search will take, out of its budgets.
        noise: of the validation sets, for the stop rule.
        common: values that every trial has, but for the published settings.
        spent: what the budgets have paid for before the first trial.
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
        slot_cpus: float = 0,
        reserve: Callable[[Trials], float] = lambda trials: 0.0,
        noise: ValidationNoise | None = None,
        common: Mapping[str, Any] | None = None,
        spent: Spent = NOTHING,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._spec, self._search = spec, spec.search
        self._folder, self._slots, self._study = folder, slots, study
        self._task, self._data = task, data
        self._proposals = Proposals(spec, study, split_identity, common)
        self._judge = Judge(spec, noise)
        self._budgets = Budgets(
            self._search, slot_cpus, slots.num_open, ledger.events, reserve, spent
        )
        self._keeper = CheckpointKeeper(folder, self._search.keep_best)
        self._waiting, self._health = Waiting(), SlotHealth()
        self._on_slot: dict[int, int] = {}
        self._identities: dict[str, int] = {}
        self.trials = Trials(self._search.objective)
        self._chronicle = Chronicle(ledger, self.trials, observers, self._on_slot)
        self.stopping: str | None = None
        self.error: Exception | None = None
        self._take_up(ledger.events)

    # ---- proposing ---------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether no further trial will be proposed."""
        self._check_budgets()
        return self.stopping is not None or (self._all_proposed and not self._waiting)

    @property
    def _all_proposed(self) -> bool:
        return self._budgets.all_proposed(self.trials)

    @property
    def budget_left_s(self) -> float | None:
        """Wall time that the budgets still hold; ``None`` if they set no limit."""
        return self._budgets.left_s()

    @property
    def idle(self) -> bool:
        """Whether no trial is in flight."""
        return not self._on_slot

    def next_trial(self) -> Assignment | None:
        """The next trial and its slot, or ``None`` while no slot is free."""
        while not self.finished and (slot := self._slots.claim(self._avoided())) is not None:
            number = self._waiting.take(slot, alone=self._alone)
            if number is None and not self._all_proposed:
                number = self._propose()
            if number is not None:
                self._budgets.begin()
                return self._assign(self.trials.records[number], slot)
            self._slots.release(slot)
        return None

    @property
    def _alone(self) -> bool:
        return self._slots.num_up() < 2

    def _avoided(self) -> AbstractSet[int]:
        """The slots that nothing is left for: the suspects that wait were lost on them."""
        return self._waiting.avoided() if self._all_proposed and not self._alone else frozenset()

    def _propose(self) -> int | None:
        """Ask for the next settings and write them down; ``None`` if they ended at once."""
        number = len(self.trials.records)
        record = self._chronicle.started(number, self._proposals.next(number))
        return None if self._refused(record) or self._copied(record) else number

    def _refused(self, record: TrialRecord) -> bool:
        reason = self._proposals.refused(record.config)
        if reason is not None:
            self._end(record, "failed", reason=reason)
        return reason is not None

    def _copied(self, record: TrialRecord) -> bool:
        """The same settings give the same outcome: a repeated proposal is not run again."""
        twin = self.trials.records.get(self._identities.get(record.trial, record.number))
        if twin is None or twin.status not in ("completed", "pruned"):
            self._identities[record.trial] = record.number
            return False
        self._tell_study(record.number, twin, twin.last_epoch)
        self._end(record, twin.status, copied_from=twin.number)
        return True

    def _assign(self, record: TrialRecord, slot: int) -> Assignment:
        self._on_slot[record.number] = slot
        config = self._spec.resolve(record.config)
        return assignment(
            record,
            slot,
            self._folder,
            config,
            {
                **self._task,
                "objective": self._search.objective,
                "data": self._data(config),
                "suspect": self._waiting.is_suspect(record.number),
            },
        )

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
        self._waiting.trained(record.number, report.epoch)
        if len(record.epochs) == 1:
            self._health.trained(self._on_slot[record.number])
        if report.checkpoint:
            self._checkpoint(record, report.checkpoint, report.checkpoint_epoch)
        if report.done:
            self._judge.end(record, report.epoch, done=True)
            self._end(record, "completed")
            return True
        self._check_budgets()
        if self.stopping:
            self._finish(record)
            self._leave(record)
            return True
        if self._judge.end(record, report.epoch, done=False):
            self._finish(record)
            self._prune(record)
            return True
        if self._budgets.overspent(record):
            self._finish(record)
            self._end(record, "pruned", reason="a rerun of published settings has had its part")
            return True
        return False

    def stop(self, reason: str) -> None:
        """Propose nothing more; each trial in flight ends with its current epoch, resumable."""
        self.stopping = self.stopping or reason

    def crash(self, error: Exception) -> None:
        """End the search for an error of this process: a full disk, say, or a mistake of ours."""
        if isinstance(error, OSError):
            error = InfrastructureError(f"the search cannot go on: {error}")
        self.error = self.error or error
        self.stop("failed")

    def lost(self, number: int) -> None:
        """The trial's Tune actor died more often than Tune restarts it."""
        record = self.trials.records[number]
        if record.status != "running" or number not in self._on_slot:
            return
        if self._slots.alive(self._on_slot[number]):
            self._end(record, "failed", reason="its Tune actor died too often")
        else:
            died = "its host died"
            self._failed(record, EpochReport(number, record.attempts, failed=died, slot_lost=True))

    def _told_before(self, record: TrialRecord, report: EpochReport) -> bool:
        """Whether a proxy that took over repeats what its predecessor reported."""
        return report.attempt < record.attempts or (
            report.attempt == record.attempts and report.epoch in record.epochs
        )

    def _epoch(self, record: TrialRecord, report: EpochReport) -> None:
        if report.attempt > record.attempts:
            self._chronicle.resumed(record, report.attempt, report.epoch - 1)
        if self._told_before(record, report):
            return  # resumed from its last epoch, which is counted already
        self._chronicle.epoch(record, report)
        value = self._judge.value(record, report.epoch)
        self._study.report(record.number, report.epoch, value)

    def _failed(self, record: TrialRecord, report: EpochReport) -> None:
        """Whose fault it is decides what becomes of the trial and of the slot."""
        slot, reason = self._on_slot[record.number], report.failed or "ended"
        if report.checkpoint:
            self._checkpoint(record, report.checkpoint, report.checkpoint_epoch)
        if report.slot_lost:
            self._elsewhere(record, report, self._slots.lose(slot, reason))
        elif report.fault is Fault.STORAGE:
            self._elsewhere(record, report, self._slots.rest(slot, reason))
        elif report.fault is Fault.SLOT and not self._waiting.suspect(record.number, slot):
            self._slots.release(slot)
            self._elsewhere(record, report, True)
        else:
            barren = not record.epochs and self._health.failed(slot) and not self._alone
            self._end(record, "failed", reason=reason)
            if barren:
                self._slots.lose(slot, f"trial after trial fails there alone, the last: {reason}")

    def _elsewhere(self, record: TrialRecord, report: EpochReport, any_slot: bool) -> None:
        """Let the trial wait for another slot, or for this one, if there still is ``any_slot``."""
        del self._on_slot[record.number]
        if any_slot:
            attempt = max(record.attempts, report.attempt) + 1
            self._chronicle.resumed(record, attempt, resumed_from(record))
            self._waiting.add(record.number)
        else:
            self.error = InfrastructureError(f"no slot is left: {report.failed}")
            self.stopping = "lost infrastructure"

    def _finish(self, record: TrialRecord) -> None:
        """Have the slot publish what it holds, so that the end is written after the weights."""
        result = self._slots.finish(self._on_slot[record.number], record.number)
        if result.get("checkpoint"):
            self._checkpoint(record, result["checkpoint"], result["checkpoint_epoch"])

    def _checkpoint(self, record: TrialRecord, path: str, epoch: int) -> None:
        relative = str(Path(path).relative_to(self._folder))
        self._chronicle.checkpoint(record, relative, epoch)
        self._keeper.add(relative)
        self._keeper.discard(self.trials)

    def _prune(self, record: TrialRecord) -> None:
        self._end(record, "pruned", reason=f"stopped by {self._search.scheduler}")

    def _end(self, record: TrialRecord, status: str, **data: Any) -> None:
        slot = self._on_slot.get(record.number)
        self._chronicle.ended(record, status, **data)
        self._close_in_study(record)
        if slot is not None:
            self._leave(record)
        self._keeper.discard(self.trials)

    def _leave(self, record: TrialRecord) -> None:
        self._slots.release(self._on_slot.pop(record.number))

    # ---- the past ----------------------------------------------------------------------------

    def _take_up(self, events: Sequence[Event]) -> None:
        """Rebuild study, stop rule and trials from the ledger; queue what was in flight."""
        for event in events:
            self.trials.apply(event)
        ends = self._judge.replay(events, self.trials)
        for number, record in sorted(self.trials.records.items()):
            self._proposals.take_up(record, self._judge.curve(record, record.last_epoch))
            if record.status == "running":
                self._take_up_live(record, ends.get(number))
                continue
            if record.copied_from is None:
                self._identities[record.trial] = number
        self._keeper.sweep(self.trials)

    def _take_up_live(self, record: TrialRecord, end: str | None) -> None:
        """Go on with a trial that was in flight, or say the end that its driver did not."""
        if not record.epochs and (self._refused(record) or self._copied(record)):
            return
        self._identities[record.trial] = record.number
        self._tell_study(record.number, record, resumed_from(record))
        if end == "completed":
            self._end(record, "completed")
        elif end == "pruned":
            self._prune(record)
        else:
            self._chronicle.resumed(record, record.attempts + 1, resumed_from(record))
            self._waiting.add(record.number)

    # ---- small things ------------------------------------------------------------------------

    def _tell_study(self, number: int, source: TrialRecord, last: int) -> None:
        """Give trial ``number`` of the study ``source``'s epochs up to ``last``."""
        for epoch, value in self._judge.curve(source, last).items():
            self._study.report(number, epoch, value)

    def _close_in_study(self, record: TrialRecord) -> None:
        value = self._judge.value(record, record.last_epoch) if record.epochs else None
        self._study.finish(record.number, record.status, value)

    def _check_budgets(self) -> None:
        if reason := self._budgets.spent(self.trials):
            self.stop(reason)
