"""What a searched field may become: five distributions in Ray Tune's words, bounds inclusive.

In YAML each is one key and its arguments::

    {loguniform: [1.0e-4, 5.0e-3]}    {uniform: [0, 0.5]}    {quniform: [0, 0.2, 0.05]}
    {randint: [1, 4]}                 {choice: [8, 12, 16]}

``suggest`` asks an object with Optuna's ``suggest_*`` methods, so this module knows no Optuna.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeGuard

from raysearch.config.base import did_you_mean

__all__ = [
    "Choice",
    "Distribution",
    "LogUniform",
    "QUniform",
    "RandInt",
    "Scalar",
    "Suggester",
    "Uniform",
    "parse_distribution",
    "same_value",
]

Scalar = bool | int | float | str | None
Form = dict[str, list[Scalar]]
MAX_VALUES = 1000


class Suggester(Protocol):
    """The part of an Optuna trial that a distribution asks."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A float in [low, high]."""
        ...

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """An integer in [low, high]."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[Scalar]) -> Scalar:
        """One of ``choices``."""
        ...


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def same_value(a: object, b: object) -> bool:
    """Equality that keeps ``true`` and ``1`` apart but lets ``1`` equal ``1.0``."""
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _check_bounds(low: object, high: object) -> None:
    if not (_is_number(low) and _is_number(high)):
        raise ValueError(f"bounds are finite numbers, not {low!r} and {high!r}")
    if not low < high:
        raise ValueError(f"the lower bound {low!r} must be below the upper bound {high!r}")


@dataclass(frozen=True, slots=True)
class _Range:
    """What lies between two bounds, both of them included."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a number within the bounds."""
        return _is_number(value) and self.low <= value <= self.high

    def values(self) -> tuple[Scalar, ...] | None:
        """Every value, ascending; None if they cannot be listed or are too many."""
        return None

    def probes(self) -> tuple[Scalar, ...]:
        """The extreme values: what a validity check tries."""
        return (self.low, self.high)


@dataclass(frozen=True, slots=True)
class Uniform(_Range):
    """A float, uniform in [low, high]."""

    def suggest(self, trial: Suggester, name: str) -> Scalar:
        """Ask ``trial`` for the parameter ``name``."""
        return trial.suggest_float(name, self.low, self.high)

    def to_dict(self) -> Form:
        """The YAML form."""
        return {"uniform": [self.low, self.high]}


@dataclass(frozen=True, slots=True)
class LogUniform(_Range):
    """A float whose logarithm is uniform in [log low, log high]; low > 0."""

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)
        if self.low <= 0:
            raise ValueError(f"a loguniform's lower bound must be above 0, not {self.low!r}")

    def suggest(self, trial: Suggester, name: str) -> Scalar:
        """Ask ``trial`` for the parameter ``name``."""
        return trial.suggest_float(name, self.low, self.high, log=True)

    def to_dict(self) -> Form:
        """The YAML form."""
        return {"loguniform": [self.low, self.high]}


@dataclass(frozen=True, slots=True)
class QUniform(_Range):
    """One of low, low + q, ..., high; q divides the width so that both bounds are reached.

    Values are clean decimals (0.15, never 0.15000000000000002), so that equal settings have
    equal identities.
    """

    q: float

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)
        if not _is_number(self.q) or self.q <= 0:
            raise ValueError(f"a quniform's step must be above 0, not {self.q!r}")
        width = Decimal(str(self.high)) - Decimal(str(self.low))
        if width % Decimal(str(self.q)) != 0:
            raise ValueError(f"the step {self.q!r} does not divide {self.low!r}..{self.high!r}")
        if width / Decimal(str(self.q)) >= MAX_VALUES:
            raise ValueError(f"a quniform has at most {MAX_VALUES} values")

    def contains(self, value: object) -> bool:
        """Whether ``value`` lies on the grid, floating-point dust aside."""
        if not _is_number(value):
            return False
        tolerance = 1e-6 * self.q
        inside = self.low - tolerance <= value <= self.high + tolerance
        return inside and bool(abs(self.snap(value) - value) <= tolerance)

    def values(self) -> tuple[Scalar, ...]:
        """The whole grid, ascending."""
        low, q = Decimal(str(self.low)), Decimal(str(self.q))
        count = int((Decimal(str(self.high)) - low) / q) + 1
        return tuple(float(low + k * q) for k in range(count))

    def probes(self) -> tuple[Scalar, ...]:
        """The extreme values: what a validity check tries."""
        return (float(self.low), float(self.high))

    def snap(self, value: float) -> float:
        """The grid's value nearest to ``value``."""
        low, q = Decimal(str(self.low)), Decimal(str(self.q))
        steps = round((min(max(value, self.low), self.high) - self.low) / self.q)
        return float(low + steps * q)

    def suggest(self, trial: Suggester, name: str) -> Scalar:
        """Ask ``trial`` for the parameter ``name``."""
        return self.snap(trial.suggest_float(name, self.low, self.high, step=self.q))

    def to_dict(self) -> Form:
        """The YAML form."""
        return {"quniform": [self.low, self.high, self.q]}


@dataclass(frozen=True, slots=True)
class RandInt(_Range):
    """An integer in [low, high], both included (unlike ``random.randrange``)."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high)
        if not (isinstance(self.low, int) and isinstance(self.high, int)):
            raise ValueError(f"a randint's bounds are integers, not {self.low!r}, {self.high!r}")

    def contains(self, value: object) -> bool:
        """Whether ``value`` is an integer within the bounds."""
        return _is_number(value) and value == int(value) and self.low <= value <= self.high

    def values(self) -> tuple[Scalar, ...] | None:
        """Every integer, ascending; None if there are too many to list."""
        listed = range(self.low, self.high + 1)
        return tuple(listed) if len(listed) <= MAX_VALUES else None

    def suggest(self, trial: Suggester, name: str) -> Scalar:
        """Ask ``trial`` for the parameter ``name``."""
        return trial.suggest_int(name, self.low, self.high)

    def to_dict(self) -> Form:
        """The YAML form."""
        return {"randint": [self.low, self.high]}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some plain values, without order."""

    options: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError("a choice needs at least one value")
        for i, option in enumerate(self.options):
            if not (option is None or isinstance(option, str | bool) or _is_number(option)):
                raise ValueError(f"a choice's values are plain and finite, not {option!r}")
            if any(same_value(option, earlier) for earlier in self.options[:i]):
                raise ValueError(f"{option!r} is listed twice")

    def contains(self, value: object) -> bool:
        """Whether ``value`` is one of the options."""
        return any(same_value(value, option) for option in self.options)

    def values(self) -> tuple[Scalar, ...]:
        """The options as written."""
        return self.options

    def probes(self) -> tuple[Scalar, ...]:
        """Every option: what a validity check tries."""
        return self.options

    def suggest(self, trial: Suggester, name: str) -> Scalar:
        """Ask ``trial`` for the parameter ``name``."""
        return trial.suggest_categorical(name, self.options)

    def to_dict(self) -> Form:
        """The YAML form."""
        return {"choice": list(self.options)}


Distribution = Uniform | LogUniform | QUniform | RandInt | Choice

_FORMS: dict[str, tuple[type[Uniform | LogUniform | QUniform | RandInt], str]] = {
    "uniform": (Uniform, "[low, high]"),
    "loguniform": (LogUniform, "[low, high]"),
    "quniform": (QUniform, "[low, high, step]"),
    "randint": (RandInt, "[low, high]"),
}


def parse_distribution(data: object) -> Distribution:
    """Read a distribution from its YAML form.

    Raises:
        ValueError: what is wrong with it, and the nearest valid word.
    """
    words = [*_FORMS, "choice"]
    if not isinstance(data, Mapping) or len(data) != 1:
        raise ValueError(f"expected one distribution, as {{choice: [8, 16]}}, not {data!r}")
    word, arguments = next(iter(data.items()))
    if word not in words:
        raise ValueError(f"unknown distribution {word!r}{did_you_mean(str(word), words)}")
    if not isinstance(arguments, list | tuple):
        raise ValueError(f"{word} takes a list, not {arguments!r}")
    if word == "choice":
        return Choice(tuple(arguments))
    cls, form = _FORMS[word]
    if len(arguments) != form.count(",") + 1:
        raise ValueError(f"{word} takes {form}, not {list(arguments)!r}")
    return cls(*arguments)
