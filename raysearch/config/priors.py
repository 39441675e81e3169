"""Where the good values of a searched field are expected, as in piBO.

In YAML a distribution has its prior beside it::

    {loguniform: [5.0e-4, 5.0e-3], prior: {mode: 2.0e-3, width: 0.3}}
    {choice: [8, 12, 16], prior: {mode: 12, width: 0.5}}

A prior changes which settings are proposed and when, never what a trial is: piBO, Hvarfner et al.
2022, arXiv 2204.11051.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from raysearch.config.base import did_you_mean
from raysearch.config.distributions import (
    Choice,
    Distribution,
    LogUniform,
    QUniform,
    RandInt,
    Scalar,
    Uniform,
    same_value,
)

__all__ = ["Prior", "parse_prior"]

LEAST_WIDTH = 0.001
_KEYS = ("mode", "width")
# A normal distribution has no end; draws keep so far from its tails.
_TAIL = 1e-12


@dataclass(frozen=True, slots=True)
class Prior:
    """The values of ``distribution`` that are expected to be good.

    A number is expected as a normal distribution has it whose centre is ``mode`` and whose standard
    deviation is ``width`` times the range, upper less lower bound, of a loguniform's logarithms;
    cut off at the bounds, where integers and steps end half a step further out. Of a choice,
    ``width`` is the part of the probability that is shared evenly by all options; what is left is
    the mode's. So a width of 1 says next to nothing of a number, and nothing of a choice.

    Attributes:
        distribution: of the field.
        mode: the value expected to be the best, one of the distribution's.
        width: above 0, at most 1.
    """

    distribution: Distribution
    mode: Scalar
    width: float

    def __post_init__(self) -> None:
        width = self.width
        is_number = isinstance(width, int | float) and not isinstance(width, bool)
        if not is_number or not LEAST_WIDTH <= width <= 1:
            raise ValueError(f"prior.width is {width!r}: a share from {LEAST_WIDTH} to 1 is wanted")
        if not self.distribution.contains(self.mode):
            form = self.distribution.to_dict()
            raise ValueError(f"prior.mode is {self.mode!r}, which is no value of {form}")

    def draw(self, part: float) -> Scalar:
        """The value below which ``part`` of the probability lies, a choice's mode coming first.

        Args:
            part: from 0 to 1; evenly drawn, values are as the prior has them.
        """
        distribution = self.distribution
        if isinstance(distribution, Choice):
            return self._option(distribution, part)
        bell, low, high = self._bell(distribution)
        first, last = bell.cdf(low), bell.cdf(high)
        below = min(max(first + part * (last - first), _TAIL), 1 - _TAIL)
        value = min(max(bell.inv_cdf(below), low), high)
        if isinstance(distribution, QUniform):
            return distribution.snap(value)
        value = math.exp(value) if isinstance(distribution, LogUniform) else value
        value = min(max(value, distribution.low), distribution.high)
        return round(value) if isinstance(distribution, RandInt) else value

    def log_ratio(self, value: Any) -> float:
        """The logarithm of how many times as likely ``value`` is as if nothing were expected.

        A number's is its density's; the mean ratio over the distribution is 1 in any case.
        """
        distribution = self.distribution
        if isinstance(distribution, Choice):
            part = self.width / len(distribution.options)
            if same_value(value, self.mode):
                part += 1 - self.width
            return math.log(part * len(distribution.options))
        bell, low, high = self._bell(distribution)
        log_density = -(((_scaled(distribution, value) - bell.mean) / bell.stdev) ** 2) / 2
        log_density -= math.log(bell.stdev * math.sqrt(2 * math.pi))
        return log_density + math.log((high - low) / (bell.cdf(high) - bell.cdf(low)))

    def to_dict(self) -> dict[str, object]:
        """The YAML form."""
        return {"mode": self.mode, "width": self.width}

    def _option(self, choice: Choice, part: float) -> Scalar:
        """``part`` divided: first what is the mode's alone, then what all options share."""
        alone = 1 - self.width
        if part < alone:
            return self.mode
        count = len(choice.options)
        return choice.options[min(int((part - alone) / self.width * count), count - 1)]

    def _bell(self, distribution: "_Range") -> tuple[NormalDist, float, float]:
        """The normal distribution, and where it is cut off."""
        low, high = (_scaled(distribution, end) for end in (distribution.low, distribution.high))
        bell = NormalDist(_scaled(distribution, self.mode), self.width * (high - low))
        step = 0.0
        if isinstance(distribution, QUniform | RandInt):
            step = distribution.q if isinstance(distribution, QUniform) else 1.0
        return bell, low - step / 2, high + step / 2


_Range = Uniform | LogUniform | QUniform | RandInt


def _scaled(distribution: _Range, value: Any) -> float:
    """Where ``value`` lies on the scale on which ``distribution`` is even."""
    return math.log(value) if isinstance(distribution, LogUniform) else float(value)


def parse_prior(data: object, distribution: Distribution) -> Prior:
    """Read the prior of ``distribution`` from its YAML form.

    Raises:
        ValueError: what is wrong with it.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"'prior' is {{mode: VALUE, width: SHARE}}, not {data!r}")
    for key in data:
        if key not in _KEYS:
            raise ValueError(f"prior has no key {key!r}{did_you_mean(str(key), _KEYS)}")
    for key in _KEYS:
        if key not in data:
            raise ValueError(f"prior.{key} is missing")
    mode = data["mode"]
    if isinstance(distribution, Choice):
        mode = next((one for one in distribution.options if same_value(one, mode)), mode)
    return Prior(distribution, mode, data["width"])
