"""Settings as points, so that near settings are near each other."""

import math
from collections.abc import Mapping

from raysearch.config.distributions import Choice, Distribution, LogUniform, same_value
from raysearch.config.space import Space

__all__ = ["coordinates"]

# Two different options of a choice are as far apart as the two ends of a range.
OPTION = math.sqrt(0.5)


def coordinates(space: Space, values: Mapping[str, object]) -> list[float]:
    """Where ``values`` lie, a range of ``space`` being as long as any other.

    A field has as many coordinates for each of its alternatives as that needs; they are 0 where it
    does not apply.
    """
    point, known = list[float](), dict[str, object]()
    for name, alternatives in space.fields.items():
        parameter = space.parameter(name, known)
        for alternative in alternatives:
            distribution = alternative.distribution
            applies = parameter is not None and parameter[1] is distribution and name in values
            point += _place(distribution, values[name]) if applies else _nowhere(distribution)
        if parameter and name in values:
            known[name] = values[name]
    return point


def _place(distribution: Distribution, value: object) -> list[float]:
    if isinstance(distribution, Choice):
        return [OPTION * same_value(value, option) for option in distribution.options]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _nowhere(distribution)
    low, high = distribution.low, distribution.high
    value = min(max(value, low), high)
    if isinstance(distribution, LogUniform):
        return [1.0, math.log(value / low) / math.log(high / low)]
    return [1.0, (value - low) / (high - low)]


def _nowhere(distribution: Distribution) -> list[float]:
    return [0.0] * (len(distribution.options) if isinstance(distribution, Choice) else 2)
