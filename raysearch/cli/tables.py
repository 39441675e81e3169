"""Tables on the terminal: as wide as it is, and whole where there is none."""

import io

from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["plain_table", "print_table"]

_WIDEST = 10_000


def plain_table(*columns: str, gap: int = 2) -> Table:
    """Make a table without lines.

    Args:
        columns: the first ones; they fold where they do not fit.
        gap: between two columns.
    """
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def print_table(console: Console, table: Table) -> None:
    """Print the table; where there is no terminal its rows are whole, for ``grep`` and pipes."""
    if console.is_terminal:
        console.print(table)
        return
    width = console.measure(table, options=console.options.update(max_width=_WIDEST)).maximum
    whole = io.StringIO()
    Console(file=whole, width=max(width, 1)).print(table)
    # A last column that is written to the left is filled up with blanks.
    lines = [line.rstrip() for line in whole.getvalue().splitlines()]
    console.print(Text("\n".join(lines)), soft_wrap=True)
