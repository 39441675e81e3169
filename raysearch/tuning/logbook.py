"""Keeps a search's ledger, sampler and checkpoints in step, and rebuilds them on resumption."""

from collections.abc import Callable, Sequence
from pathlib import Path

from raysearch.ledger import Event, LedgerStore
from raysearch.ledger_events import BY_HAND
from raysearch.trial_records import TrialRecord, Trials
from raysearch.tuning.checkpoint_keeper import CheckpointKeeper
from raysearch.tuning.chronicle import Chronicle, Observer
from raysearch.tuning.judge import Judge, resumed_from
from raysearch.tuning.problem import Problem
from raysearch.tuning.proposals import Proposals
from raysearch.tuning.study import Study
from raysearch.tuning.tolerance import ValidationNoise
from raysearch.tuning.waiting import Waiting
from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.trial_order import Slots

__all__ = ["Logbook"]


class Logbook:
    """Keeps ledger, study and checkpoints in step; the conductor decides what happens.

    Args:
        problem: what is searched.
        folder: the run's folder.
        ledger: where events go.
        slots: where trials run.
        study: the sampler, empty.
        noise: of the validation sets, for the stop rule.
        observers: whoever watches.
        say: takes a line for the user.

    Attributes:
        trials: what the ledger amounts to.
    """

    def __init__(
        self,
        problem: Problem,
        folder: Path,
        ledger: LedgerStore,
        slots: Slots,
        study: Study,
        *,
        noise: ValidationNoise | None = None,
        observers: Sequence[Observer] = (),
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._problem, self._search = problem, problem.search
        self._folder, self._slots, self._study = folder, slots, study
        self._proposals = Proposals(problem, study)
        self._judge = Judge(problem, noise)
        self._keeper = CheckpointKeeper(folder, self._search.keep_best, ledger.after)
        self._waiting = Waiting()
        self._on_slot: dict[int, int] = {}
        self._identities: dict[str, int] = {}
        self._say, self._said_full = say, False
        self.trials = Trials(self._search.objective)
        self._chronicle = Chronicle(ledger, self.trials, observers, self._on_slot)

    @property
    def idle(self) -> bool:
        """Whether no trial is in flight."""
        return not self._on_slot

    def _refused(self, record: TrialRecord) -> bool:
        reason = self._problem.refused(record.config)
        if reason is not None:
            self._end(record, "failed", reason=reason)
        return reason is not None

    def _copied(self, record: TrialRecord) -> bool:
        """The same settings give the same outcome: a repeated proposal is not run again.

        One that repeats a paused trial ends as that one would: it is the other that may go on.
        """
        twin = self.trials.records.get(self._identities.get(record.trial, record.number))
        if twin is None or twin.status not in ("completed", "pruned", "paused"):
            self._identities[record.trial] = record.number
            return False
        self._tell_study(record.number, twin, twin.last_epoch)
        status = "pruned" if twin.status == "paused" else twin.status
        self._end(record, status, copied_from=twin.number)
        return True

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

    def _checkpoint(self, record: TrialRecord, report: EpochReport) -> None:
        """Write down what was published with the report, if anything was."""
        if report.checkpoint is None:
            return
        relative = str(Path(report.checkpoint).relative_to(self._folder))
        epoch, size = report.checkpoint_epoch, report.checkpoint_bytes
        self._chronicle.checkpoint(record, relative, epoch, size)
        self._keeper.add(relative)
        self._keeper.discard(self.trials)

    def _prune(self, record: TrialRecord) -> None:
        self._end(record, "pruned", reason=f"stopped by {self._search.scheduler}")

    def _spent(self, record: TrialRecord) -> None:
        self._end(record, "pruned", reason="a rerun of published settings has had its part")

    def _stop_by_hand(self, record: TrialRecord) -> None:
        self._end(record, "pruned", reason=BY_HAND)

    def _end_stopped(self) -> None:
        """End the paused trials that somebody asked to be stopped; others end with their epoch."""
        for record in self.trials.with_status("paused"):
            if record.number in self.trials.stopped_by_hand:
                self._stop_by_hand(record)

    def _pause(self, record: TrialRecord) -> None:
        if record.number in self.trials.stopped_by_hand:
            self._stop_by_hand(record)  # it was asked for after this pause was decided
            return
        self._chronicle.paused(record)
        self._study.pause(record.number)
        self._leave(record)
        self._make_room()

    def _make_room(self) -> None:
        """End the least promising of the paused trials whose checkpoints the disk has no room for.

        The best one stays whatever it takes: a search without it would have nothing to go on with.
        """
        paused, most = self._judge.paused_by_promise(self.trials), self._search.paused_disk_bytes
        while len(paused) > 1 and sum(record.checkpoint_bytes for record in paused) > most:
            reason = f"paused trials fill search.paused_disk_gib, {self._search.paused_disk_gib:g}"
            if not self._said_full:
                self._say(f"{reason}: the least promising ones end")
            self._said_full = True
            self._end(paused.pop(), "pruned", reason=reason)

    def _promote(self, number: int) -> int:
        """Let the paused trial go on, from its checkpoint."""
        record = self.trials.records[number]
        epoch = resumed_from(record)
        self._chronicle.resumed(record, record.attempts + 1, epoch, promoted=True)
        return number

    def _end_paused(self) -> None:
        """The search ends without them."""
        for record in self.trials.with_status("paused"):
            self._close(record, "pruned", reason="not promoted before the search ended")
        self._keeper.discard(self.trials)

    def _end(
        self,
        record: TrialRecord,
        status: str,
        *,
        reason: str | None = None,
        copied_from: int | None = None,
    ) -> None:
        self._close(record, status, reason=reason, copied_from=copied_from)
        self._leave(record)
        self._keeper.discard(self.trials)

    def _close(
        self,
        record: TrialRecord,
        status: str,
        *,
        reason: str | None = None,
        copied_from: int | None = None,
    ) -> None:
        self._chronicle.ended(record, status, reason=reason, copied_from=copied_from)
        value = self._judge.value(record, record.last_epoch) if record.epochs else None
        self._study.finish(record.number, record.status, value)

    def _leave(self, record: TrialRecord) -> None:
        slot = self._on_slot.pop(record.number, None)
        if slot is not None:
            self._slots.release(slot)

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
        if record.pauses:
            self._study.pause(record.number)
        if end == "completed":
            self._end(record, "completed")
        elif end == "pruned":
            self._prune(record)
        elif end == "paused":
            self._pause(record)
        else:
            self._chronicle.resumed(record, record.attempts + 1, resumed_from(record))
            self._waiting.add(record.number)

    def _tell_study(self, number: int, source: TrialRecord, last: int) -> None:
        """Give trial ``number`` of the study ``source``'s epochs up to ``last``."""
        for epoch, value in self._judge.curve(source, last).items():
            self._study.report(number, epoch, value)
