"""Every rule on every table with every seed, and what that amounts to."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from raysearch.errors import UserError
from raysearch.replay.curve_table import CurveTable
from raysearch.replay.forecasts import Case, Kept, cases, kept
from raysearch.replay.measures import NUM_STEPS, Measured, measure
from raysearch.replay.search_rules import BASELINE, RULES, Rule
from raysearch.replay.simulation import Conditions, replay

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Comparison", "Plan", "Switch", "compare_rules"]

WHOLE_RUNS = 20
# A search that tries most of a small table's rows finds its best whatever the rule.
MOST_ROWS = 1 / 2


@dataclass(frozen=True, slots=True)
class Switch:
    """What it takes a slot to begin a trial: epochs, or seconds where ``in_seconds``."""

    amount: float = 0.0
    in_seconds: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is replayed.

    Attributes:
        num_seeds: seeds from 0.
        budget: epochs of a search; None: twenty whole runs, but no more than half of a table's.
        slots: trials at a time.
        switch: what it takes to begin a trial.
    """

    num_seeds: int = 3
    budget: int | None = None
    slots: int = 1
    switch: Switch = Switch()

    def conditions(self, table: CurveTable) -> Conditions:
        """For searches of ``table``.

        Raises:
            UserError: a switch takes seconds, of which the table knows none.
        """
        whole = max(1, min(WHOLE_RUNS, int(MOST_ROWS * len(table.rows))))
        budget, cost = self.budget or whole * table.max_epochs, self.switch.amount
        if self.switch.in_seconds and cost:
            if table.epoch_s is None:
                raise UserError(
                    f"{table.place}: nobody recorded how long an epoch takes: give the switch's "
                    "cost in epochs, as 0.5, not in seconds"
                )
            cost /= table.epoch_s
        return Conditions(budget, self.slots, cost)


@dataclass(frozen=True)
class Comparison:
    """The outcome.

    Attributes:
        conditions: table to what held for its searches.
        rules: rule to what it reached.
        forecasts: rule to how good forecasts of its gains were; None if none could be made.
        num_epochs: replayed in all.
        seconds: that it took.
    """

    conditions: Mapping[str, Conditions]
    rules: Mapping[str, Measured]
    forecasts: Mapping[str, Kept | None]
    num_epochs: int
    seconds: float

    def to_dict(self, plan: Plan) -> dict[str, object]:
        """Plain data, the same each time it is replayed."""
        return {
            "present": BASELINE,
            "seeds": plan.num_seeds,
            "slots": plan.slots,
            "tables": {
                name: {"budget": one.budget, "switch_cost": one.switch_cost}
                for name, one in self.conditions.items()
            },
            "epochs": self.num_epochs,
            "rules": {name: measured.to_dict() for name, measured in self.rules.items()},
            "forecast": {name: one and one.to_dict() for name, one in self.forecasts.items()},
        }


def compare_rules(
    tables: Sequence[CurveTable],
    rules: Mapping[str, Rule],
    plan: Plan,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Comparison:
    """Replay all; the former default always, as the others are measured against it.

    Args:
        tables: the curves.
        rules: name to rule.
        plan: for how long, and how often.
        progress: takes how many searches are done, and of how many.

    Raises:
        UserError: as ``Plan.conditions`` does.
    """
    conditions = {table.name: plan.conditions(table) for table in tables}
    wanted = {**rules, BASELINE: RULES[BASELINE]}
    # Two names of one way to search, as of the default and what it is, are replayed once.
    different = {rule.key: rule for rule in wanted.values()}
    began, num_epochs, done = time.monotonic(), 0, 0
    regrets: dict[str, dict[str, NDArray[np.float64]]] = {key: {} for key in different}
    foreseen: dict[str, dict[str, list[list[Case]]]] = {key: {} for key in different}
    for key, rule in different.items():
        for table in tables:
            one, curves, told = conditions[table.name], [], list[list[Case]]()
            for seed in range(plan.num_seeds):
                course = replay(table, rule, one, seed)
                curves.append(course.regrets(table, one.budget, NUM_STEPS))
                told.append(list(cases(course, table, one.budget, rule.scheduler)))
                num_epochs, done = num_epochs + len(course.spent), done + 1
                progress(done, len(different) * len(tables) * plan.num_seeds)
            regrets[key][table.name], foreseen[key][table.name] = np.array(curves), told
    former = regrets[wanted[BASELINE].key]
    measured = {name: measure(regrets[rule.key], former) for name, rule in rules.items()}
    forecasts = {name: kept(foreseen[rule.key]) for name, rule in rules.items()}
    return Comparison(conditions, measured, forecasts, num_epochs, time.monotonic() - began)
