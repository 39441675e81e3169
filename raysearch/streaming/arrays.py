"""All rows of one feature set in one piece of memory, and windows cut out of it.

Axis letters: R rows, S frames of all rows together, B windows, T frames, F bins.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["FeatureArrays", "RowStats", "cut", "window_index"]


@dataclass(frozen=True)
class RowStats:
    """The figures of each row that planning and normalisation need, without its values.

    Attributes:
        num_frames: frames a row, int64.
        bin_sum: sums over frames, float64.
        bin_sumsq: sums of squares over frames, float64.
    """

    num_frames: np.ndarray
    bin_sum: np.ndarray
    bin_sumsq: np.ndarray

    def mean_std(self, rows: slice | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each bin over all frames of ``rows``, float64 (F,)."""
        num_frames = self.num_frames[rows].sum()
        mean_F = self.bin_sum[rows].sum(axis=0) / num_frames
        variance_F = self.bin_sumsq[rows].sum(axis=0) / num_frames - mean_F**2
        # A bin that never varies must not divide by zero.
        return mean_F, np.sqrt(np.maximum(variance_F, 1e-10))


@dataclass(frozen=True)
class FeatureArrays:
    """The values of all rows after each other, (S, F) float32, and what is known of each row."""

    values: np.ndarray
    stats: RowStats

    @property
    def offsets(self) -> np.ndarray:
        """The first frame of each row."""
        offsets: np.ndarray = np.cumsum(self.stats.num_frames) - self.stats.num_frames
        return offsets


def window_index(
    first_B: np.ndarray, lengths_B: np.ndarray, num_frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """Frame indices (B, T) of windows of ``num_frames`` at ``first_B``, and which are padding."""
    step_T = np.arange(num_frames)
    padding_BT = step_T[None, :] >= lengths_B[:, None]
    index_BT = first_B[:, None] + np.minimum(step_T[None, :], lengths_B[:, None] - 1)
    return index_BT, padding_BT


def cut(
    values_SF: np.ndarray, index_BT: np.ndarray, padding_BT: np.ndarray, floor: float
) -> np.ndarray:
    """The frames at ``index_BT`` as float32 (B, T, F), with ``floor`` where ``padding_BT``."""
    x_BTF = np.take(values_SF, index_BT, axis=0)
    x_BTF[padding_BT] = floor
    return x_BTF
