"""What every benchmark is made of: ways that take turns, figures with targets, a result as JSON."""

import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from bench_machine import Machine

__all__ = [
    "Figure", "Goal", "Options", "Result", "absent", "alternate", "at_least", "at_most", "equal",
    "figure", "ratio", "timed",
]  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True)
class Goal:
    """A target: the median is to be at most, or at least, ``value``."""

    bound: Literal["at most", "at least"]
    value: float

    def met(self, value: float) -> bool:
        """Whether ``value`` is on the right side."""
        return value <= self.value if self.bound == "at most" else value >= self.value


@dataclass(frozen=True)
class Figure:
    """One thing that was measured, a value a pair.

    Attributes:
        name: what it is, and beside what.
        unit: ``x`` of a ratio, else what is counted.
        values: in the order of the pairs; none if ``why_absent``.
        goal: its target, if it has one.
        why_absent: why there are no values, such as a peer that is not installed.
    """

    name: str
    unit: str
    values: tuple[float, ...] = ()
    goal: Goal | None = None
    why_absent: str = ""

    @property
    def median(self) -> float:
        """The value in the middle."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target or a value."""
        return self.goal.met(self.median) if self.goal and self.values else None


@dataclass(frozen=True)
class Result:
    """What one benchmark found on one machine.

    Attributes:
        row: the benchmark's name.
        about: what was done, in a sentence or two.
        command: that measures it anew.
        pairs: how often the ways took turns.
        small: whether it was a try, whose figures mean nothing.
        seconds: that it took.
        day: when, as YYYY-MM-DD.
        commit: of the code, empty where git does not tell.
        machine: where.
        figures: what was found.
    """

    row: str
    about: str
    command: str
    pairs: int
    small: bool
    seconds: float
    day: str
    commit: str
    machine: Machine
    figures: tuple[Figure, ...]

    def write(self, path: Path) -> None:
        """Store it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Result":
        """What ``write`` stored."""
        told = json.loads(path.read_text(encoding="utf-8"))
        told["machine"] = Machine.of(told["machine"])
        told["figures"] = tuple(_figure_of(one) for one in told["figures"])
        return cls(**told)


def _figure_of(told: dict[str, Any]) -> Figure:
    goal = Goal(**told["goal"]) if told["goal"] else None
    return Figure(**{**told, "values": tuple(told["values"]), "goal": goal})


def at_most(value: float) -> Goal:
    """The target of a figure that is to be low."""
    return Goal("at most", value)


def at_least(value: float) -> Goal:
    """The target of a figure that is to be high."""
    return Goal("at least", value)


def alternate(ways: Mapping[str, Callable[[int], T]], pairs: int) -> dict[str, list[T]]:
    """Call the ways in turn (A, B, A, B ...), each with the pair's number; what each gave."""
    found: dict[str, list[T]] = {name: [] for name in ways}
    for number in range(pairs):
        for name, way in ways.items():
            found[name].append(way(number))
    return found


def timed(act: Callable[[], object]) -> float:
    """Seconds that ``act`` takes, by the wall."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def figure(name: str, unit: str, values: Sequence[float], goal: Goal | None = None) -> Figure:
    """A figure of these values."""
    return Figure(name, unit, tuple(values), goal)


def ratio(name: str, ours: Sequence[float], theirs: Sequence[float], goal: Goal | None) -> Figure:
    """``ours`` over ``theirs``, pair by pair: neighbours in time met the same machine."""
    return Figure(name, "x", tuple(a / b for a, b in zip(ours, theirs, strict=True)), goal)


def absent(name: str, goal: Goal | None, why: str) -> Figure:
    """A ratio that could not be measured, and why."""
    return Figure(name, "x", (), goal, why)


def equal(what: str, ours: Sequence[float], theirs: Sequence[float], tolerance: float) -> None:
    """End the benchmark if the two ways did not compute the same."""
    apart = max(
        (abs(a - b) / max(1.0, abs(b)) for a, b in zip(ours, theirs, strict=True)), default=0.0
    )
    if not apart <= tolerance:  # NaN is not
        sys.exit(f"{what}: the two ways differ by {apart:.2g}, which is above {tolerance:g}")


@dataclass(frozen=True)
class Options:
    """How much is measured.

    Attributes:
        pairs: how often the ways take turns.
        small: the smallest sizes, to try whether it runs to its end.
    """

    pairs: int
    small: bool
