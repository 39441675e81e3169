"""Rows of noise in a feature store's shape, in memory: no corpus is needed to time what reads them.

Axis letters: R rows, S frames of all rows together, F bins.
"""

import numpy as np

from raysearch.streaming.arrays import FeatureArrays, RowStats
from raysearch.streaming.split_rows import RowTable, SplitRows

__all__ = ["noise_arrays", "noise_rows"]


def noise_arrays(num_bins: int, frames_R: np.ndarray, classes: int = 0) -> FeatureArrays:
    """Noise of so many frames a row; with ``classes`` a row tells its own by some of its bins."""
    rng = np.random.default_rng(0)
    values_SF = rng.normal(size=(frames_R.sum(), num_bins)).astype(np.float32)
    bounds_R = np.cumsum(frames_R) - frames_R
    if classes:
        label_S = np.repeat(np.arange(len(frames_R)) % classes, frames_R)
        values_SF += (np.arange(num_bins) % classes == label_S[:, None]).astype(np.float32)
    sums = np.add.reduceat(values_SF.astype(np.float64), bounds_R)
    squares = np.add.reduceat(values_SF.astype(np.float64) ** 2, bounds_R)
    return FeatureArrays(values_SF, RowStats(frames_R.astype(np.int64), sums, squares))


def noise_rows(num_train: int, num_validation: int, classes: int) -> SplitRows:
    """A split of these rows, whose classes take turns."""
    return SplitRows(
        _table(0, num_train, classes),
        _table(num_train, num_train + num_validation, classes),
        tuple(f"class-{number}" for number in range(classes)),
    )


def _table(low: int, high: int, classes: int) -> RowTable:
    names = tuple(f"row-{number}" for number in range(low, high))
    return RowTable(names, names, tuple(number % classes for number in range(low, high)))
