"""Scores of confusion matrices, in numpy; matrices are summed first, scored once.

A matrix has true classes as rows and predicted ones as columns. Classes without support
(empty rows) are left out of a mean: 0/0 is never 0. Without any support the score is NaN.
Leading axes are independent matrices, so ten thousand bootstrap draws are one call.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "accuracy",
    "confusion_matrix",
    "jensen_shannon",
    "macro_f1",
    "recalls",
    "uar",
]

Floats = NDArray[np.float64]


def confusion_matrix(
    labels: ArrayLike, predicted: ArrayLike, num_classes: int
) -> NDArray[np.int64]:
    """Counts (K, K) of true (rows) against predicted (columns) class indices.

    Raises:
        ValueError: an index outside 0..K-1, or arrays of unequal length.
    """
    true_N = np.asarray(labels, dtype=np.int64).ravel()
    predicted_N = np.asarray(predicted, dtype=np.int64).ravel()
    if true_N.shape != predicted_N.shape:
        raise ValueError(f"{true_N.size} labels, but {predicted_N.size} predictions")
    both = np.concatenate([true_N, predicted_N])
    if both.size and not (both.min() >= 0 and both.max() < num_classes):
        raise ValueError(f"a class index is outside 0..{num_classes - 1}")
    cells = np.bincount(true_N * num_classes + predicted_N, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def jensen_shannon(first_NK: Floats, second_NK: Floats) -> Floats:
    """Jensen-Shannon divergence of each row of two distributions, in bits, from 0 to 1: (N,)."""
    middle_N, first_N, second_N = (
        _entropy(one) for one in ((first_NK + second_NK) / 2, first_NK, second_NK)
    )
    return np.clip(middle_N - (first_N + second_N) / 2, 0.0, 1.0)


def _entropy(shares_NK: Floats) -> Floats:
    """In bits, of each row; 0 log 0 is 0."""
    logs_NK = np.log2(shares_NK, out=np.zeros_like(shares_NK), where=shares_NK > 0)
    entropy_N: Floats = -(shares_NK * logs_NK).sum(axis=1)
    return entropy_N


def recalls(confusion: ArrayLike) -> Floats:
    """Recall of each class, (..., K); NaN where the class has no support."""
    _, hits, support = _parts(confusion)
    return _ratio(hits, support)


def uar(confusion: ArrayLike) -> Floats:
    """Unweighted average recall (UA, balanced accuracy), (...)."""
    return _mean_of_supported(recalls(confusion))


def accuracy(confusion: ArrayLike) -> Floats:
    """Accuracy (weighted accuracy, WA), (...)."""
    _, hits, support = _parts(confusion)
    return _ratio(hits.sum(axis=-1), support.sum(axis=-1))


def macro_f1(confusion: ArrayLike) -> Floats:
    """Mean F1 of the classes with support, (...)."""
    counts, hits, support = _parts(confusion)
    f1 = _ratio(2 * hits, support + counts.sum(axis=-2))
    return _mean_of_supported(np.where(support > 0, f1, np.nan))


def _parts(confusion: ArrayLike) -> tuple[Floats, Floats, Floats]:
    counts = np.asarray(confusion, dtype=np.float64)
    assert counts.shape[-2:] == counts.shape[-1:] * 2, f"not square: {counts.shape}"
    return counts, np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    result = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=result, where=np.asarray(denominator) > 0)
    return result


def _mean_of_supported(values: Floats) -> Floats:
    present = ~np.isnan(values)
    return _ratio(np.where(present, values, 0.0).sum(axis=-1), present.sum(axis=-1))
