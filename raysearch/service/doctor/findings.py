"""One line of the doctor's report, and what the lines of several nodes have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Level", "grouped", "listed", "worst"]

Level = Literal["ok", "skipped", "warning", "failed"]
_ORDER: tuple[Level, ...] = ("ok", "skipped", "warning", "failed")


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check, a line of the doctor's report.

    Attributes:
        level: how bad it is.
        check: what was looked at, in a word.
        what: what was found, in one line.
        advice: what to do about it; empty where there is nothing to do.
    """

    level: Level
    check: str
    what: str
    advice: str = ""


def worst(findings: Sequence[Finding]) -> Level:
    """The worst level among them."""
    return max((finding.level for finding in findings), key=_ORDER.index, default="ok")


def grouped(values: Mapping[str, object]) -> dict[object, list[str]]:
    """Names by value, in the order they came in."""
    groups: dict[object, list[str]] = {}
    for name, value in values.items():
        groups.setdefault(value, []).append(name)
    return groups


def listed(names: Sequence[str], most: int = 4) -> str:
    """``a, b and 3 more``: a line stays a line on a large cluster."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
