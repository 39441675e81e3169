"""One search on recorded curves, in simulated time, by the parts that a real one has.

Conductor, study, stop rule and trials are those of a search; only the slots, which replay what was
recorded, and the ledger, which is kept in memory, are others.
"""

import heapq
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raysearch.config.search import SearchConfig
from raysearch.replay.curve_table import CurveTable, Row
from raysearch.replay.memory_ledger import MemoryLedger
from raysearch.replay.nearest_row import Untried
from raysearch.replay.recorded_problem import RecordedProblem, row_number
from raysearch.replay.row_sampler import RowSampler
from raysearch.replay.search_rules import Rule
from raysearch.replay.simulated_slots import SimulatedSlots
from raysearch.storage.publication import Publication
from raysearch.tuning.conductor import Conductor
from raysearch.tuning.study import Study, num_startup_trials
from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.trial_order import Assignment

__all__ = ["Conditions", "Course", "Simulation", "replay"]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is the same for every rule on a table.

    Attributes:
        budget: epochs of all trials together, at the table's mean cost of an epoch.
        slots: trials at a time.
        switch_cost: what it takes a slot to begin a trial, in mean epochs.
    """

    budget: int
    slots: int = 1
    switch_cost: float = 0.0


@dataclass
class Course:
    """How a search went.

    Attributes:
        spent: of the budget, after each report.
        best: the best value by then, higher is better.
        values: what was reported, as the table has it; None for no value.
        numbers: of the trials that reported.
        num_trials: how many were proposed.
        wall: when the last report came, in mean epochs of one slot.
    """

    spent: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    num_trials: int = 0
    wall: float = 0.0

    def regrets(self, table: CurveTable, budget: float, num_steps: int) -> NDArray[np.float64]:
        """Regret ``(num_steps + 1,)`` from none of ``budget`` spent to all of it, in even steps."""
        moments = np.linspace(0, budget, num_steps + 1)
        # A sum of costs may miss what it amounts to by a rounding error.
        last = np.searchsorted(self.spent, moments * (1 + 1e-12), side="right")
        values = np.array([table.signed(table.untrained), *self.best])
        return table.regrets(values[last])


@dataclass
class _Run:
    """A trial on a slot, which has replayed ``epoch`` epochs of ``row``."""

    number: int
    attempt: int
    row: Row
    epoch: int
    switch_cost: float

    def step(self) -> float:
        """One epoch further; what that cost."""
        cost = self.switch_cost + self.row.costs[self.epoch]
        self.switch_cost = 0.0
        self.epoch += 1
        return cost

    @property
    def next_cost(self) -> float:
        return self.switch_cost + self.row.costs[self.epoch]

    @property
    def done(self) -> bool:
        return self.epoch == len(self.row.values)


class Simulation:
    """A search of ``table`` by ``rule``; ``run`` carries it out.

    Args:
        table: the curves.
        rule: how they are searched.
        conditions: for how long, and on how much.
        seed: the search's.
        folder: an empty folder, in which nothing is written.
    """

    def __init__(
        self, table: CurveTable, rule: Rule, conditions: Conditions, seed: int, folder: Path
    ) -> None:
        self._table, self._conditions, self._folder = table, conditions, folder
        self._now = 0.0
        self._due: list[tuple[float, int]] = []
        self._runs: dict[int, _Run] = {}
        self._checkpoints: dict[str, int] = {}
        self._spent = 0.0
        self._slots = SimulatedSlots(conditions.slots)
        self.ledger = MemoryLedger(lambda: self._now)
        self.course = Course()
        untried = Untried(table)
        search = _search(table, rule, conditions, seed)
        self.conductor = Conductor(
            RecordedProblem(table, search, untried),
            folder,
            self.ledger,
            self._slots,
            _study(table, rule, conditions, search, untried),
            publication=Publication(str(folder), fence=1),
            noise=table.noise,
        )

    def run(self) -> Course:
        """Until the budget is spent or every row is tried."""
        self._fill()
        while self._due and self._spent < self._conditions.budget:
            self._now, slot = heapq.heappop(self._due)
            self._step(slot)
            self._fill()
        self.course.num_trials = len(self.conductor.trials.records)
        self.course.wall = self._now
        return self.course

    def _fill(self) -> None:
        """Give each free slot a trial."""
        while assignment := self.conductor.next_trial():
            self._runs[assignment.slot] = self._begun(assignment)
            self._await(assignment.slot)

    def _begun(self, assignment: Assignment) -> _Run:
        record, task = self.conductor.trials.records[assignment.number], assignment.task
        epoch = self._checkpoints[task.resume] if task.resume else 0
        row = self._table.rows[row_number(record.trial)]
        return _Run(record.number, task.attempt, row, epoch, self._conditions.switch_cost)

    def _await(self, slot: int) -> None:
        heapq.heappush(self._due, (self._now + self._runs[slot].next_cost, slot))

    def _step(self, slot: int) -> None:
        """The epoch on ``slot`` has ended; what becomes of its trial."""
        run = self._runs[slot]
        self._spent += run.step()
        if self._spent >= self._conditions.budget:
            # The conductor counts epochs, and knows neither what each costs nor what a switch does.
            self.conductor.stop("epoch budget")
        stops = self.conductor.take(self._report(run))
        if not stops and slot in self._slots.leaving:
            stops = self.conductor.take(self._last_report(run))
        if stops:
            del self._runs[slot]
        else:
            self._await(slot)

    def _report(self, run: _Run) -> EpochReport:
        value = run.row.values[run.epoch - 1]
        self._note(run.number, value)
        metrics: dict[str, float] = {} if value is None else {self._table.objective: value}
        return EpochReport(
            run.number,
            attempt=run.attempt,
            epoch=run.epoch,
            metrics=metrics,
            train_s=run.row.costs[run.epoch - 1] * (self._table.epoch_s or 1.0),
            done=run.done,
            **(self._published(run) if run.done else {}),
        )

    def _last_report(self, run: _Run) -> EpochReport:
        return EpochReport(run.number, attempt=run.attempt, done=True, **self._published(run))

    def _published(self, run: _Run) -> dict[str, Any]:
        """The checkpoint that a trial leaves when it ends or is let go."""
        name = f"epoch-{run.epoch:04d}-attempt-{run.attempt}"
        path = str(self._folder / "checkpoints" / f"{run.number:04d}" / name)
        self._checkpoints[path] = run.epoch
        return {"checkpoint": path, "checkpoint_epoch": run.epoch}

    def _note(self, number: int, value: float | None) -> None:
        course = self.course
        course.numbers.append(number)
        course.values.append(value)
        best = course.best[-1] if course.best else self._table.signed(self._table.untrained)
        course.spent.append(self._spent)
        course.best.append(best if value is None else max(best, self._table.signed(value)))


def replay(table: CurveTable, rule: Rule, conditions: Conditions, seed: int) -> Course:
    """Search ``table`` by ``rule``; equal seeds give equal courses."""
    with tempfile.TemporaryDirectory(prefix="raysearch-replay-") as folder:
        return Simulation(table, rule, conditions, seed, Path(folder)).run()


def _search(table: CurveTable, rule: Rule, conditions: Conditions, seed: int) -> SearchConfig:
    """The ``search`` section that a user with this budget would have written."""
    told: dict[str, object] = {
        "trials": len(table.rows),
        # Epochs of different length are limited by what they cost together.
        "epoch_budget": conditions.budget if table.epoch_s is None else None,
        "objective": table.objective,
        "slots": conditions.slots,
        "seed": seed,
    }
    return SearchConfig.model_validate({**told, **rule.search})


def _study(
    table: CurveTable, rule: Rule, conditions: Conditions, search: SearchConfig, untried: Untried
) -> Study:
    whole = max(1, conditions.budget // table.max_epochs)
    return Study(
        None,
        table.name,
        table.space,
        seed=search.seed,
        num_startup=len(table.rows) if rule.random else num_startup_trials(whole),
        priors=search.priors and not rule.random,
        around=lambda sampler: RowSampler(sampler, table.space, untried),
    )
