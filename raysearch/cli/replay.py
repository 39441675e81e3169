"""``raysearch replay``: which way to search is best, told from recorded learning curves.

The searches are real but for their trials, which replay what was recorded; nothing is trained, and
no Ray is started. Tables are Parquet files (settings in the columns hp_*, losses in valid_loss, the
first before training) and our own runs, of which the trials that reached their end count. The
forecast of the gain from further compute, which a search gives, is held against what came, too.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from raysearch.cli.terminal import ProgressLine, heading, plain_console
from raysearch.replay.search_rules import BASELINE, RULES, rules_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raysearch.replay.forecasts import Kept
    from raysearch.replay.measures import Estimate
    from raysearch.replay.rule_comparison import Comparison, Plan

__all__ = ["add"]

EXAMPLE = "example: raysearch replay --tables results --rules tpe,asha --seeds 10"


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "replay",
        help="compare ways to search on recorded learning curves",
        description=__doc__,
        epilog=EXAMPLE,
    )
    parser.add_argument(
        "--tables",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="where *.parquet files lie, or runs in it or below it",
    )
    parser.add_argument(
        "--rules",
        metavar="A,B",
        help="; ".join(f"{name}: {rule.meaning}" for name, rule in RULES.items())
        + " (default: all)",
    )
    parser.add_argument(
        "--seeds", type=_count, default=3, metavar="N", help="searches of each (default: 3)"
    )
    parser.add_argument(
        "--budget",
        type=_count,
        metavar="EPOCHS",
        help="of one search; where epochs differ in cost, so many mean ones (default: 20 whole "
        "runs of the table, or half of its runs if those are fewer)",
    )
    parser.add_argument(
        "--slots", type=_count, default=1, metavar="K", help="trials at a time (default: 1)"
    )
    parser.add_argument(
        "--switch-cost",
        type=_cost,
        default=(0.0, False),
        metavar="EPOCHS|SECONDSs",
        help="what it takes to begin a trial, out of the budget: 0.5, or 2s where a table knows "
        "how long its epochs took (default: 0)",
    )
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    parser.set_defaults(verb=replay_tables)


def replay_tables(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    from raysearch.replay.found_tables import find_tables
    from raysearch.replay.rule_comparison import Plan, Switch, compare_rules

    named = ",".join(RULES) if arguments.rules is None else arguments.rules
    rules = rules_named([name.strip() for name in named.split(",") if name.strip()])
    switch = Switch(*arguments.switch_cost)
    plan = Plan(arguments.seeds, arguments.budget, arguments.slots, switch)
    with ProgressLine(Console(stderr=True)) as line:
        tables = find_tables(arguments.tables, line.say)
        found = compare_rules(
            tables, rules, plan, lambda done, total: line.update("searches", done, total)
        )
        rate = found.num_epochs / max(found.seconds, 1e-9)
        line.say(f"{found.num_epochs} epochs in {found.seconds:.1f} s: {rate:.0f} a second")
    if arguments.json:
        print(json.dumps(found.to_dict(plan), indent=2))
    else:
        _show(plain_console(), found, plan)
    return 0


def _show(console: Console, found: "Comparison", plan: "Plan") -> None:
    budgets = sorted({one.budget for one in found.conditions.values()})
    span = str(budgets[0]) if len(budgets) == 1 else f"{budgets[0]} to {budgets[-1]}"
    heading(
        console,
        "replay",
        f"{len(found.conditions)} table(s), {plan.num_seeds} seed(s), budget {span} epochs, "
        f"{plan.slots} slot(s)",
    )
    measured = found.rules
    regrets = {name: one.regret for name, one in measured.items()}
    _show_estimates(console, "regret at", regrets)
    _say(console, "0 is the best of a table, 1 the end of its median run")
    times = {name: one.epochs_to_present for name, one in measured.items()}
    _show_estimates(console, f"to {BASELINE}'s at", times)
    _say(
        console,
        f"epochs to the regret that {BASELINE} has then, in parts of those it has used",
    )
    if any(one.unreached for estimates in times.values() for one in estimates.values()):
        _say(console, "> not reached on every table with the whole budget, which counts instead")
    _say(console, "means over tables; in brackets 95%, over seeds")
    _show_forecasts(console, found.forecasts)


def _show_estimates(
    console: Console, what: str, rows: "Mapping[str, Mapping[str, Estimate]]"
) -> None:
    shares = next(iter(rows.values()))
    table = Table(
        "rule", *(f"{what} {float(share):.0%}" for share in shares), box=None, pad_edge=False
    )
    for name, estimates in rows.items():
        table.add_row(name, *map(_cell, estimates.values()))
    console.print(table)


def _show_forecasts(console: Console, forecasts: "Mapping[str, Kept | None]") -> None:
    from raysearch.forecast.gain import LEVEL, RATIOS

    table = Table("rule", "forecasts held", box=None, pad_edge=False)
    for ratio in RATIOS:
        table.add_column(f"+{ratio:.0%}")
    table.add_column("mean width")
    for name, one in forecasts.items():
        if one is not None:
            span = " [{:.0%},{:.0%}]".format(*one.interval) if one.interval else ""
            ahead = [one.ratios.get(f"{ratio:g}") for ratio in RATIOS]
            cells = ["-" if share is None else f"{share:.0%}" for share in ahead]
            table.add_row(name, f"{one.held:.0%}{span}", *cells, f"{one.mean_width:.2f}")
    if not table.row_count:
        _say(console, "no search is long enough for a forecast of what more of it would bring")
        return
    console.print(table)
    _say(console, f"of intervals of the gain from so much more compute, made for {LEVEL:.0%}")


def _say(console: Console, line: str) -> None:
    console.print(line, style="dim", soft_wrap=True)


def _cell(one: "Estimate") -> str:
    bounds = [f"{bound:.2f}".removeprefix("0") for bound in one.interval or ()]
    span = f" [{','.join(bounds)}]" if bounds else ""
    return f"{'>' if one.unreached else ''}{one.mean:.2f}{span}"


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1 on is expected")
    return int(text)


def _cost(text: str) -> tuple[float, bool]:
    """An amount, and whether it is of seconds."""
    try:
        amount = float(text.removesuffix("s"))
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: write epochs as 0.5, seconds as 2s")
    return amount, text.endswith("s")
