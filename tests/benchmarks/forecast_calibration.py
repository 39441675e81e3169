"""How far forecasts reach, and whether they hold on tables that they were not made from.

Replays searches of every table by several rules, budgets and numbers of slots, and prints the
constants YARDSTICKS of raysearch/forecast/gain.py, then how often forecasts hold on each table
when the constants come from the others. The baseline looks at no search: its intervals are the
quantile of the other tables' gains, on the scale of regret, which no real search knows.

    python tests/benchmarks/forecast_calibration.py ../shared/taskset --seeds 8
    python tests/benchmarks/forecast_calibration.py ../shared/taskset --on results --seeds 8
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raysearch.forecast.gain import LEVEL, RATIOS
from raysearch.replay.curve_table import CurveTable
from raysearch.replay.forecasts import CLOSE, Case, cases
from raysearch.replay.found_tables import find_tables
from raysearch.replay.rule_comparison import Plan
from raysearch.replay.search_rules import rules_named
from raysearch.replay.simulation import replay

RULES = ("asha", "promote", "tpe")
# Whole runs of a budget, and trials at a time; each weighs the same.
CONDITIONS = ((8, 1), (20, 1), (20, 8))


@dataclass(frozen=True)
class Told:
    """A case, and where it comes from."""

    table: str
    rule: str
    scheduler: str
    slots: int
    runs: int
    case: Case


def main() -> None:
    """Print the constants and both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path)
    parser.add_argument("--on", type=Path, help="other tables, judged by constants of the first")
    parser.add_argument("--seeds", type=int, default=8)
    arguments = parser.parse_args()
    told = gather(find_tables(arguments.tables, print), arguments.seeds)
    constants = yardsticks(told)
    for scheduler, known in constants.items():
        print(f"{scheduler}: ({', '.join(f'{known[ratio]:.3g}' for ratio in RATIOS)})")
    print()
    if arguments.on:
        others = gather(find_tables(arguments.on, print), arguments.seeds)
        report(others, judge(others, constants))
        return
    names = sorted({one.table for one in told})
    judged = list[Judged]()
    for name in names:
        rest = yardsticks([one for one in told if one.table != name])
        judged += judge([one for one in told if one.table == name], rest)
    report(told, judged)
    report_baseline(told, names)


def gather(tables: Sequence[CurveTable], seeds: int) -> list[Told]:
    """Every case of every search."""
    found = list[Told]()
    for table in tables:
        most = max(1, len(table.rows) // 2)
        for runs, slots in sorted({(min(runs, most), slots) for runs, slots in CONDITIONS}):
            conditions = Plan(seeds, runs * table.max_epochs, slots).conditions(table)
            for name, rule in rules_named(RULES).items():
                for seed in range(seeds):
                    course = replay(table, rule, conditions, seed)
                    found += [
                        Told(table.name, name, rule.scheduler, slots, runs, case)
                        for case in cases(course, table, conditions.budget, rule.scheduler)
                    ]
        print(f"  {table.name}: replayed", flush=True)
    return found


Constants = Mapping[str, Mapping[float, float]]


def yardsticks(told: Sequence[Told]) -> Constants:
    """Scheduler to ratio to how many yardsticks four of five gains stay below."""
    return {
        scheduler: {
            ratio: quantile(
                [o for o in told if o.scheduler == scheduler and o.case.ratio == ratio],
                lambda case: case.gain / max(case.yardstick.length, 1e-300),
            )
            for ratio in RATIOS
        }
        for scheduler in dict.fromkeys(one.scheduler for one in told)
    }


def quantile(chosen: Sequence[Told], measure: Callable[[Case], float]) -> float:
    """The LEVEL quantile of ``measure``, with tables and conditions of equal weight."""
    names, places, counts = np.unique(
        [f"{one.table} {one.runs} {one.slots}" for one in chosen],
        return_inverse=True,
        return_counts=True,
    )
    weights = 1 / counts[places] / len(names)
    values = np.array([measure(one.case) for one in chosen])
    order = np.argsort(values)
    at = int(np.searchsorted(np.cumsum(weights[order]), LEVEL))
    return float(values[order][min(at, len(values) - 1)])


@dataclass(frozen=True)
class Judged:
    """A case under constants that are not the committed ones."""

    told: Told
    held: bool
    width: float


def judge(told: Iterable[Told], constants: Constants) -> list[Judged]:
    """Each under ``constants``."""
    judged = list[Judged]()
    for one in told:
        case = one.case
        high = case.yardstick.gain(constants[one.scheduler][case.ratio]).high
        judged.append(Judged(one, case.gain <= high + CLOSE, high / case.scale))
    return judged


def report(told: Sequence[Told], judged: Sequence[Judged]) -> None:
    """Shares that held and mean widths, as Markdown; means over tables."""
    print("| | held in 80% | mean width | forecasts |\n|---|---|---|---|")
    kinds: dict[str, Callable[[Told], str]] = {
        "all": lambda one: "",
        "ahead": lambda one: f"{one.case.ratio:.0%}",
        "at": lambda one: f"{one.case.moment:.0%} of the budget",
        "rule": lambda one: one.rule,
        "slots": lambda one: str(one.slots),
        "rule and slots": lambda one: f"{one.rule} {one.slots}",
        "budget": lambda one: f"{one.runs} whole runs",
        "table": lambda one: one.table,
    }
    for kind, group in kinds.items():
        for name in dict.fromkeys(map(group, told)):
            mine = [one for one in judged if group(one.told) == name]
            held, width = over_tables(mine)
            print(f"| {kind} {name} | {held:.1%} | {width:.3f} | {len(mine)} |")
    print()


def over_tables(judged: Sequence[Judged]) -> tuple[float, float]:
    """Means over tables of the share that held and of the width."""
    tables: dict[str, list[Judged]] = {}
    for one in judged:
        tables.setdefault(one.told.table, []).append(one)
    held = np.mean([np.mean([one.held for one in some]) for some in tables.values()])
    width = np.mean([np.mean([one.width for one in some]) for some in tables.values()])
    return float(held), float(width)


def report_baseline(told: Sequence[Told], names: Sequence[str]) -> None:
    """The same quantile of the gains themselves, on the scale of regret."""
    held, width = list[float](), list[float]()
    for name in names:
        highs = {
            ratio: quantile(
                [one for one in told if one.table != name and one.case.ratio == ratio],
                lambda case: case.gain / case.scale,
            )
            for ratio in RATIOS
        }
        mine = [one.case for one in told if one.table == name]
        held.append(float(np.mean([c.gain / c.scale <= highs[c.ratio] + CLOSE for c in mine])))
        width.append(float(np.mean([highs[c.ratio] for c in mine])))
    low, high = min(held), max(held)
    print(
        f"pooled quantiles, with each table's own scale given: {np.mean(held):.1%} held "
        f"({low:.0%} to {high:.0%} by table), mean width {np.mean(width):.3f}"
    )


if __name__ == "__main__":
    main()
