"""Tables of figures as Markdown."""

from collections.abc import Iterable, Sequence

__all__ = ["markdown_table", "percent"]


def percent(share: float) -> str:
    """Write a share as a percentage: 0.716 as ``71.6%``."""
    return f"{100 * share:.1f}%"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; a bar inside a cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(map(_escaped, line)) + " |" for line in lines]


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
