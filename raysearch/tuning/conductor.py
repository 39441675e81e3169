"""The driver's one mind: which trial next, what each report means, and the ledger of it all.

It knows no Tune and starts nothing; :mod:`raysearch.tuning.adapters` shows it to Tune as a
searcher and a scheduler. Every decision is written to the ledger before it is acted on.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from raysearch.errors import InfrastructureError
from raysearch.ledger import LedgerStore
from raysearch.ledger_events import Steered
from raysearch.storage.publication import Publication
from raysearch.trial_records import TrialRecord, Trials
from raysearch.tuning.budgets import BUDGETS, NOTHING, Account, Budgets, Spent, unread
from raysearch.tuning.by_hand import heed
from raysearch.tuning.chronicle import Observer
from raysearch.tuning.judge import resumed_from
from raysearch.tuning.logbook import Logbook
from raysearch.tuning.problem import Problem, assignment
from raysearch.tuning.study import Study
from raysearch.tuning.tolerance import ValidationNoise
from raysearch.tuning.turns import Turns
from raysearch.tuning.waiting import SlotHealth
from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.faults import Fault
from raysearch.workers.trial_order import Assignment, Slots

__all__ = ["Conductor"]

# Why a part of a search ends that is to go on.
PART = "end of its part"


class Conductor(Logbook):
    """Proposes trials, judges their reports, keeps the ledger.

    Args:
        problem: what is searched.
        folder: the run's folder.
        ledger: where events go; what it already holds is taken up.
        slots: where trials run.
        study: the sampler, empty.
        publication: the run, as workers publish into it.
        slot_cpus: CPUs of one slot, for a core budget.
        reserve: wall seconds that the end of the search will take, out of its budgets.
        noise: of the validation sets, for the stop rule.
        spent: what the budgets have paid for before the first trial.
        until: ends this part of a search that is to go on later, once it is true of the trials;
            what pauses then stays paused.
        commands: what somebody asked for since the last time; each is done with once the next one
            is taken.
        observers: whoever watches.
        say: takes a line for the user.
        tell: takes what is spent, at each trial's start and after each epoch.
    """

    def __init__(
        self,
        problem: Problem,
        folder: Path,
        ledger: LedgerStore,
        slots: Slots,
        study: Study,
        *,
        publication: Publication,
        slot_cpus: float = 0,
        reserve: Callable[[Trials], float] = lambda trials: 0.0,
        noise: ValidationNoise | None = None,
        spent: Spent = NOTHING,
        until: Callable[[Trials], bool] | None = None,
        commands: Callable[[], Iterable[Steered]] = tuple,
        observers: Sequence[Observer] = (),
        say: Callable[[str], None] = lambda line: None,
        tell: Callable[[Account], None] = unread,
    ) -> None:
        super().__init__(
            problem, folder, ledger, slots, study, noise=noise, observers=observers, say=say
        )
        self._publication, self._until, self._commands = publication, until, commands
        self._tell = tell
        self._budgets = Budgets(
            self._search, slot_cpus, slots.num_open, ledger.events, reserve, spent
        )
        self._turns = Turns(self.trials, self._waiting, self._judge, self._budgets)
        self._health = SlotHealth()
        # What is done once a trial that was let go has told its last.
        self._ends: dict[int, Callable[[TrialRecord], None]] = {}
        self.stopping: str | None = None
        self.error: Exception | None = None
        self._take_up(ledger.events)
        self._end_stopped()  # their driver may have died between a command and what it led to
        ledger.flush()  # what was left behind is removed while no worker publishes

    # ---- proposing ---------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether no new trial will be started, though those in flight may let others go on."""
        self._check_budgets()
        more = self._turns.any_left or (not self.idle and self._turns.any_paused)
        return self.stopping is not None or not more

    @property
    def budget_left_s(self) -> float | None:
        """Seconds of wall time that the budgets still hold; None if they set no limit."""
        return self._budgets.left_s()

    def next_trial(self) -> Assignment | None:
        """Choose the next trial and its slot; None while no slot is free, or when nothing is left.

        When the search is over, the trials that still pause end.
        """
        self.steer()
        while not self.finished and self._turns.any_left:
            if (slot := self._slots.claim(self._avoided())) is None:
                return None
            if (number := self._next_number(slot)) is not None:
                self._budgets.begin()
                self._tell(self._budgets.account(self.trials))
                return self._assign(self.trials.records[number], slot)
            self._slots.release(slot)
        if self.idle and self.finished and self._for_good:
            self._end_paused()
        return None

    def _next_number(self, slot: int) -> int | None:
        number = self._waiting.take(slot, alone=self._alone)
        if number is None and (promoted := self._turns.promotable()) is not None:
            number = self._promote(promoted)
        if number is None and not self._turns.all_proposed:
            number = self._propose()
        return number

    @property
    def _for_good(self) -> bool:
        return self._until is None and self.stopping in {None, *BUDGETS}

    @property
    def _alone(self) -> bool:
        return self._slots.num_up() < 2

    def _avoided(self) -> AbstractSet[int]:
        return frozenset() if self._alone else self._turns.avoided()

    def _propose(self) -> int | None:
        """Ask for the next settings and write them down; ``None`` if they ended at once."""
        number = len(self.trials.records)
        record = self._chronicle.started(
            number, self._proposals.next(number, self._judge.held(self.trials), self.trials.asked)
        )
        return None if self._refused(record) or self._copied(record) else number

    def _assign(self, record: TrialRecord, slot: int) -> Assignment:
        self._on_slot[record.number] = slot
        suspect = self._waiting.is_suspect(record.number)
        return assignment(
            self._problem, record, slot, self._folder, self._publication, suspect=suspect
        )

    # ---- judging -----------------------------------------------------------------------------

    def take(self, report: EpochReport) -> bool:
        """Take one report in.

        Returns:
            Whether Tune is to stop the trial here.
        """
        self.steer()
        record = self.trials.records[report.number]
        if record.status != "running" or report.number not in self._on_slot:
            return True
        if report.number in self._ends:
            return self._last_report(record, report)
        if report.failed:
            self._failed(record, report)
            return True
        if self._told_before(record, report) and not report.done:
            return False
        self._epoch(record, report)
        self._tell(self._budgets.account(self.trials))
        self._waiting.trained(record.number, report.epoch)
        if len(record.epochs) == 1:
            self._health.trained(self._on_slot[record.number])
        self._checkpoint(record, report)
        if report.done:
            self._judge.end(record, report.epoch, done=True)
            self._end(record, "completed")
            return True
        if end := self._end_of(record, report.epoch):
            self._ends[record.number] = end
            self._slots.let_go(self._on_slot[record.number], record.number)
        return False

    def _end_of(self, record: TrialRecord, epoch: int) -> Callable[[TrialRecord], None] | None:
        """What ends the trial after ``epoch``, if anything does."""
        self._check_budgets()
        if self.stopping:
            return self._leave
        end = self._judge.end(record, epoch, done=False)  # the rule hears of every epoch
        if record.number in self.trials.stopped_by_hand:
            return self._stop_by_hand
        if end:
            return self._pause if end == "paused" else self._prune
        return self._spent if self._budgets.overspent(record) else None

    def _last_report(self, record: TrialRecord, report: EpochReport) -> bool:
        """End a trial that was let go, after its weights are written; nobody waited for them.

        If they are lost it ends all the same, and is not trained again for them.
        """
        last = report.done or report.failed is not None
        if self._told_before(record, report) and not last:
            return False
        if report.epoch and not self._told_before(record, report):
            # It was begun before it was said.
            self._epoch(record, report)
            self._judge.end(record, report.epoch, done=True)
        self._checkpoint(record, report)
        if not last:
            return False
        any_slot = True
        if report.slot_lost:
            slot = self._on_slot.pop(record.number)
            any_slot = self._slots.lose(slot, report.failed or "ended")
        end = self._ends.pop(record.number)
        if end == self._pause and report.done and report.epoch:
            self._end(record, "completed")  # that was its last epoch anyway
        else:
            end(record)
        if not self.finished:  # else nothing needs a slot any more
            self._go_on(any_slot, report)
        return True

    def steer(self) -> None:
        """Do what somebody asked for, each once it is in the ledger."""
        if heed(self._commands(), self._chronicle, self.trials, self._budgets, self.stop):
            self._end_stopped()

    def stop(self, reason: str) -> None:
        """Start nothing more; the trials in flight end with their epoch and can be resumed."""
        self.stopping = self.stopping or reason

    def crash(self, error: Exception) -> None:
        """End the search because of an error in this process, such as a full disk."""
        if isinstance(error, OSError):
            error = InfrastructureError(f"the search cannot go on: {error}")
        self.error = self.error or error
        self.stop("failed")

    def lost(self, number: int, cause: str) -> None:
        """Hear that the trial's Tune actor died of ``cause`` more often than Tune restarts it."""
        record = self.trials.records[number]
        if record.status != "running" or number not in self._on_slot:
            return
        alive = self._slots.alive(self._on_slot[number])
        reason = f"its Tune actor died too often: {cause}" if alive else "its host died"
        report = EpochReport(
            number, record.attempts, failed=reason, fault=Fault.SLOT, slot_lost=not alive
        )
        if number in self._ends:
            self._last_report(record, report)
        else:
            self._failed(record, report)

    def _failed(self, record: TrialRecord, report: EpochReport) -> None:
        """Whose fault it is decides what becomes of the trial and of the slot."""
        slot, reason = self._on_slot[record.number], report.failed or "ended"
        self._checkpoint(record, report)
        if report.slot_lost:
            self._elsewhere(record, report, self._slots.lose(slot, reason))
        elif report.fault is Fault.STORAGE:
            self._elsewhere(record, report, self._slots.rest(slot, reason))
        elif report.fault is Fault.SLOT and not self._waiting.suspect(record.number, slot):
            self._slots.release(slot)
            self._elsewhere(record, report, True)
        else:
            barren = not record.epochs and self._health.failed(slot, reason) and not self._alone
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
        self._go_on(any_slot, report)

    def _go_on(self, any_slot: bool, report: EpochReport) -> None:
        """End the search unless there still is ``any_slot``."""
        if not any_slot:
            self.error = self.error or InfrastructureError(f"no slot is left: {report.failed}")
            self.stop("lost infrastructure")

    def _check_budgets(self) -> None:
        if reason := self._budgets.spent(self.trials):
            self.stop(reason)
        elif self._until is not None and self._until(self.trials):
            self.stop(PART)
