"""Figures in words, and tables of them as Markdown."""

from collections.abc import Iterable, Sequence

__all__ = ["interval_in_words", "markdown_table", "percent"]


def percent(share: float) -> str:
    """Write a share as a percentage: 0.716 as ``71.6%``."""
    return f"{100 * share:.1f}%"


def interval_in_words(bounds: Sequence[float] | None) -> str:
    """Write an interval of shares in percent: ``60.1 to 72.4``; a dash where there is none."""
    return f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f}" if bounds else "-"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; a bar inside a cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(map(_escaped, line)) + " |" for line in lines]


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
