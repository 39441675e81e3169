"""Derivatives over frames, as ``librosa.feature.delta`` has them: Savitzky-Golay, nine frames.

Axis letters: T frames, F bins.
"""

import numpy as np
import scipy  # whose subpackages are imported when they are first used

__all__ = ["DELTA_WIDTH", "deltas", "with_deltas"]

DELTA_WIDTH = 9


def with_deltas(x_TF: np.ndarray, number: int) -> np.ndarray:
    """The bins, then as many derivatives of them side by side, float32 (T, F * (1 + number))."""
    parts = [x_TF, *(deltas(x_TF, order) for order in range(1, number + 1))]
    return np.concatenate(parts, axis=1).astype(np.float32)


def deltas(x_TF: np.ndarray, order: int) -> np.ndarray:
    """The ``order``-th derivative over frames; clips shorter than the filter repeat their ends."""
    mode = "interp" if len(x_TF) >= DELTA_WIDTH else "nearest"
    derived: np.ndarray = scipy.signal.savgol_filter(
        x_TF, DELTA_WIDTH, polyorder=order, deriv=order, axis=0, mode=mode
    )
    return derived
