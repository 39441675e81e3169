"""A recording after the cell that a row asks for: an augmentation's, or a disturbance's."""

from collections.abc import Sequence

import numpy as np

from raysearch.features.disturbance_table import maker_of
from raysearch.features.waveform_augment import apply_cell

__all__ = ["changed_by"]


def changed_by(
    waveform_N: np.ndarray,
    sample_rate: int,
    cell: str,
    seed: int,
    others: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """The waveform after ``cell``, float32.

    Args:
        waveform_N: mono float32 samples.
        sample_rate: Hz.
        cell: ``KIND:LEVEL``; a mark of what is mixed in may follow.
        seed: what is drawn depends on it alone.
        others: recordings that are mixed in.

    Raises:
        ValueError: no such cell.
    """
    kind, _, rest = cell.partition(":")
    make = maker_of(kind)
    if make is None:
        return apply_cell(waveform_N, sample_rate, cell, seed)
    changed_N = make(waveform_N, sample_rate, rest.partition(":")[0], seed, others)
    return np.ascontiguousarray(changed_N, dtype=np.float32)
