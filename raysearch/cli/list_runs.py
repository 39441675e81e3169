"""``raysearch runs``: the runs and races that a storage keeps."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from textwrap import fill

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raysearch.cli.failures import tell
from raysearch.cli.storage_options import RunsOptions
from raysearch.cli.tables import plain_table, print_table
from raysearch.config.metric_table import metric_of
from raysearch.reporting.run_list import RunRow, rows_of
from raysearch.reporting.wording import age, figure, metric_name, one_line, size
from raysearch.storage.kept_runs import kept_runs
from raysearch.storage.replica import display_path, replica_of
from raysearch.training.transductive import mark

__all__ = ["runs_table", "show"]

_STYLES = {"running": "green", "lost": "yellow", "failed": "red", "unreadable": "red"}
# Enough for the columns that say how a figure came to be.
_WIDE = 100
# Of a column of figures, where there is little room.
_NARROW = 8


def show(options: RunsOptions) -> int:
    """Carry the verb out."""
    if replica := replica_of(options.storage):
        replica.objects.reach()
    rows = rows_of(kept_runs(options.storage, tell))
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return 0
    if not rows:
        print(f"{display_path(options.storage)}: no runs")
        return 0
    console = Console()
    wide = not console.is_terminal or console.width >= _WIDE
    print_table(console, runs_table(rows, wide=wide))
    if not wide and any(map(_star, rows)):
        print("* under the paper's own split: not comparable with an honest figure")
    for row in rows:
        if row.note:
            print(one_line(row.note))
    return 0


def runs_table(rows: Sequence[RunRow], *, wide: bool) -> Table:
    """Draw ``rows``.

    Args:
        rows: the runs.
        wide: with the columns that say what was searched and how the figures came to be.
    """
    objectives = {row.objective for row in rows if row.objective}
    only = next(iter(objectives)) if len(objectives) == 1 else None
    heading = metric_name(only) if only else "best"
    table = plain_table("run", gap=2 if wide else 1)
    table.add_column("state", no_wrap=True)
    if wide:
        table.add_column("system", overflow="fold")
    for name in ("trials", heading if wide else fill(heading, _NARROW), "test UA"):
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("evaluated", overflow="fold")
    for name in ("age", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        state = Text(row.state, _STYLES.get(row.state, ""))
        best = _best(row, named=only is None)
        after = (age(time.time() - row.changed), size(row.num_bytes))
        if wide:
            test = (figure("val_uar", row.test_ua), _evaluated(row))
            cells = [_system(row), str(row.trials), best, *test, *after]
        else:
            cells = [str(row.trials), best, figure("val_uar", row.test_ua) + _star(row), *after]
        table.add_row(Text(one_line(row.name)), state, *map(Text, cells))
    return table


def _system(row: RunRow) -> str:
    if not row.num_systems:
        return one_line(row.system)
    return f"{one_line(row.system)} of {row.num_systems}" if row.system else f"{row.num_systems}"


def _best(row: RunRow, *, named: bool) -> str:
    if row.objective is None or row.best is None:
        return "-"
    label = f"{metric_of(row.objective).label} " if named else ""
    return label + figure(row.objective, row.best)


def _star(row: RunRow) -> str:
    """What the papers' split is marked with: its figure is not to be taken for an honest one."""
    return "*" if "paper" in (row.mode, row.protocol) else ""


def _evaluated(row: RunRow) -> str:
    if not row.mode:
        return "-"
    # A search under the papers' split has its figures in the mode "fold".
    paper = ", paper" if row.protocol == "paper" != row.mode else ""
    return f"{row.mode}{paper}{mark(row.transductive)}"
