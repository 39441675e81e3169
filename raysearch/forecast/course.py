"""What a search has reached by how much compute, which a forecast looks back on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raysearch.config.metric_table import Metric

__all__ = ["Course"]


@dataclass(frozen=True)
class Course:
    """Every epoch of a search that counts, in the order in which compute was spent on them.

    Axis letter: E epoch of the search.

    Attributes:
        spent_E: compute used when each was over, in any unit.
        numbers_E: the trial of each.
        values_E: the objective after each, higher is better; NaN where there is none.
        ideal: the value that no model surpasses, higher is better.
    """

    spent_E: NDArray[np.float64]
    numbers_E: NDArray[np.int64]
    values_E: NDArray[np.float64]
    ideal: float

    @classmethod
    def of(
        cls,
        spent: Sequence[float],
        numbers: Sequence[int],
        values: Sequence[float | None],
        metric: Metric,
    ) -> "Course":
        """From the values of ``metric`` as a ledger holds them; None where there is none."""
        told = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        told[~np.isfinite(told)] = np.nan
        return cls(
            np.array(spent, dtype=np.float64),
            np.array(numbers, dtype=np.int64),
            -told if metric.lower_is_better else told,
            metric.ideal,
        )

    @property
    def num_epochs(self) -> int:
        """How many there are."""
        return len(self.spent_E)

    def until(self, spent: float) -> "Course":
        """The part by which no more than ``spent`` was used."""
        # A sum of costs may miss what it amounts to by a rounding error.
        end = int(np.searchsorted(self.spent_E, spent * (1 + 1e-12), side="right"))
        return Course(self.spent_E[:end], self.numbers_E[:end], self.values_E[:end], self.ideal)

    def best(self) -> float | None:
        """The best value; ``None`` if there is none."""
        told = self.values_E[~np.isnan(self.values_E)]
        return float(told.max()) if len(told) else None

    def bests(self) -> NDArray[np.float64]:
        """The best value of each trial that has one, best first."""
        told = ~np.isnan(self.values_E)
        numbers, places = np.unique(self.numbers_E[told], return_inverse=True)
        found = np.full(len(numbers), -np.inf)
        np.maximum.at(found, places, self.values_E[told])
        return np.sort(found)[::-1]
