"""``raysearch replay``: which way to search is best, told from recorded learning curves."""

import json
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from raysearch.cli.replay_options import ReplayOptions
from raysearch.cli.terminal import ProgressLine, heading, plain_console
from raysearch.forecast.gain import LEVEL, RATIOS
from raysearch.replay.forecasts import Kept
from raysearch.replay.found_tables import find_tables
from raysearch.replay.measures import Estimate
from raysearch.replay.rule_comparison import Comparison, Plan, Switch, compare_rules
from raysearch.replay.search_rules import BASELINE, rules_named

__all__ = ["replay_tables"]


def replay_tables(options: ReplayOptions) -> int:
    """Carry the verb out."""
    rules = rules_named(options.rules)
    switch = Switch(options.switch_cost, options.switch_in_seconds)
    plan = Plan(options.num_seeds, options.budget, options.slots, switch)
    with ProgressLine(Console(stderr=True)) as line:
        tables = find_tables(options.tables, line.say)
        found = compare_rules(
            tables, rules, plan, lambda done, total: line.update("searches", done, total)
        )
        rate = found.num_epochs / max(found.seconds, 1e-9)
        line.say(f"{found.num_epochs} epochs in {found.seconds:.1f} s: {rate:.0f} a second")
    if options.json:
        print(json.dumps(found.to_dict(plan), indent=2))
    else:
        _show(plain_console(), found, plan)
    return 0


def _show(console: Console, found: Comparison, plan: Plan) -> None:
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
    console: Console, what: str, rows: Mapping[str, Mapping[str, Estimate]]
) -> None:
    shares = next(iter(rows.values()))
    table = Table(
        "rule", *(f"{what} {float(share):.0%}" for share in shares), box=None, pad_edge=False
    )
    for name, estimates in rows.items():
        table.add_row(name, *map(_cell, estimates.values()))
    console.print(table)


def _show_forecasts(console: Console, forecasts: Mapping[str, Kept | None]) -> None:
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


def _cell(one: Estimate) -> str:
    bounds = [f"{bound:.2f}".removeprefix("0") for bound in one.interval or ()]
    span = f" [{','.join(bounds)}]" if bounds else ""
    return f"{'>' if one.unreached else ''}{one.mean:.2f}{span}"
