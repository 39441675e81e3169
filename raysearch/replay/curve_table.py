"""Recorded learning curves of one learner under many settings, and the regret they measure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raysearch.config.metric_table import metric_of
from raysearch.config.space import Space
from raysearch.errors import DataError
from raysearch.replay.coordinates import coordinates
from raysearch.tuning.problem import Given
from raysearch.tuning.tolerance import ValidationNoise

__all__ = ["CurveTable", "Row", "active"]


@dataclass(frozen=True, slots=True)
class Row:
    """One recorded run, to its end.

    Attributes:
        config: the value of each searched field that applies, in the space's order.
        values: the objective after each epoch; None where it was not finite.
        costs: what each epoch takes, in mean epochs of the table.
        warmup: the epochs in which it did not learn at its full rate yet.
    """

    config: Mapping[str, Any]
    values: Sequence[float | None]
    costs: Sequence[float]
    warmup: int = 0


@dataclass(frozen=True)
class CurveTable:
    """Rows of one learner, and the ends of the scale that regret is measured on.

    Attributes:
        name: what it is called.
        place: the file it was read from, and where in it: what an error begins with.
        objective: what the values are.
        space: of its settings; every row lies in it.
        rows: the recorded runs.
        max_epochs: of a whole run.
        untrained: the objective before any training, where regret begins.
        epoch_s: seconds of a mean epoch; None where nobody recorded them.
        given: settings that a search of this learner tries before the sampler's.
        noise: of the validation sets that the values come from; None where nobody recorded it,
            and every difference means something.
        best: the best of all values, higher is better: regret 0.
        middling: the median of the last values, higher is better: regret 1.

    Raises:
        DataError: ``best`` is no better than ``middling``, so that no regret can be measured.
    """

    name: str
    place: str
    objective: str
    space: Space
    rows: Sequence[Row]
    max_epochs: int
    untrained: float
    epoch_s: float | None = None
    given: Sequence[Given] = ()
    noise: ValidationNoise | None = None
    best: float = field(init=False)
    middling: float = field(init=False)

    def __post_init__(self) -> None:
        told = [v for row in self.rows for v in row.values if v is not None]
        if not told:
            raise DataError(f"{self.place}: no epoch has a value")
        values = [self.signed(value) for value in told]
        worst = min(values)
        lasts = [worst if (v := row.values[-1]) is None else self.signed(v) for row in self.rows]
        object.__setattr__(self, "best", max(values))
        object.__setattr__(self, "middling", statistics.median(lasts))
        if not self.best > self.middling:
            raise DataError(
                f"{self.place}: the median run ends with {abs(self.middling):g}, the best of all "
                "values: regret has no scale where runs do not differ"
            )

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """Each row's coordinates in the space, ``(R, D)``."""
        return np.array([coordinates(self.space, row.config) for row in self.rows])

    def signed(self, value: float) -> float:
        """``value`` of the objective such that higher is better."""
        return metric_of(self.objective).signed(value)

    def regrets(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far ``values``, higher is better, are from the best, in parts of the median run."""
        return (self.best - values) / (self.best - self.middling)


def active(space: Space, values: Mapping[str, object]) -> dict[str, object] | None:
    """Those of ``values`` that ``space`` searches; None if they do not lie in it."""
    if space.parameters(values) is None:
        return None
    known: dict[str, object] = {}
    for name in space.fields:
        if space.parameter(name, known):
            known[name] = values[name]
    return known
