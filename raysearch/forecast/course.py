"""What a search has reached by how much compute, which a forecast looks back on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raysearch.config.metric_table import Metric

__all__ = ["Course"]


@dataclass(frozen=True)
class Course:
    """The epochs of a search that count, in the order in which they were trained.

    Axis letter: E epoch of the search.

    Attributes:
        spent_E: compute that the search had used when the epoch ended, in any unit.
        numbers_E: the number of the epoch's trial.
        values_E: the objective after the epoch, higher is better; NaN where there is none.
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
        """Build a course.

        Args:
            spent: compute used when each epoch ended.
            numbers: the number of each epoch's trial.
            values: of ``metric`` as the ledger holds them; None where there is none.
            metric: what they are values of.
        """
        told = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        told[~np.isfinite(told)] = np.nan
        return cls(
            np.array(spent, dtype=np.float64),
            np.array(numbers, dtype=np.int64),
            -told if metric.lower_is_better else told,
            metric.signed(metric.ideal),
        )

    @property
    def num_epochs(self) -> int:
        """How many epochs there are."""
        return len(self.spent_E)

    def until(self, spent: float) -> "Course":
        """Return the epochs that had ended when ``spent`` compute was used."""
        # A sum of costs may miss what it amounts to by a rounding error.
        end = int(np.searchsorted(self.spent_E, spent * (1 + 1e-12), side="right"))
        return Course(self.spent_E[:end], self.numbers_E[:end], self.values_E[:end], self.ideal)

    def best(self) -> float | None:
        """Return the best value of all epochs; ``None`` if no epoch has a value."""
        told = self.values_E[~np.isnan(self.values_E)]
        return float(told.max()) if len(told) else None

    def bests(self) -> NDArray[np.float64]:
        """Return the best value of each trial that has one, the best trial first."""
        told = ~np.isnan(self.values_E)
        numbers, places = np.unique(self.numbers_E[told], return_inverse=True)
        found = np.full(len(numbers), -np.inf)
        np.maximum.at(found, places, self.values_E[told])
        return np.sort(found)[::-1]
