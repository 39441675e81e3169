"""How far a model's confidence is from how often it is right, and the temperature that mends it.

Axes: N utterances, K emotions.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import scipy  # whose subpackages are imported when they are first used
from numpy.typing import NDArray

from raysearch.evaluation.probability_columns import (
    known_emotions,
    probabilities,
    probability_column,
)

__all__ = [
    "CalibrationBin",
    "at_temperature",
    "calibration_bins",
    "calibration_error",
    "temperature_of",
]

NUM_BINS = 10
# A model that is right by chance, or always, would have one without end.
MOST = 16.0


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """The predictions of about one confidence.

    Attributes:
        confidence: their mean confidence: the probability of what was predicted.
        accuracy: the share of them that is right.
        share: of all predictions.
    """

    confidence: float
    accuracy: float
    share: float


def calibration_bins(table: pa.Table) -> list[CalibrationBin]:
    """Sort predictions into ten equal bins of confidence; bins without any are left out.

    Args:
        table: predictions, as :func:`raysearch.evaluation.predict.predict_arm` gives them.
    """
    confidence_N = probabilities(table).max(axis=1)
    correct_N = np.asarray(table["emotion"].to_pylist()) == np.asarray(
        table["predicted"].to_pylist()
    )
    bin_N = np.minimum((confidence_N * NUM_BINS).astype(int), NUM_BINS - 1)
    return [
        CalibrationBin(
            float(confidence_N[bin_N == b].mean()),
            float(correct_N[bin_N == b].mean()),
            float((bin_N == b).mean()),
        )
        for b in np.unique(bin_N)
    ]


def calibration_error(table: pa.Table) -> float:
    """Expected calibration error over these bins (Guo et al. 2017, arXiv 1706.04599)."""
    bins = calibration_bins(table)
    return float(np.sum([abs(one.accuracy - one.confidence) * one.share for one in bins]))


def temperature_of(log_probs_NK: NDArray[np.float64], labels_N: NDArray[np.int64]) -> float:
    """Return the temperature at which the log-loss is least (Guo et al. 2017, section 4.2).

    Above 1 the model is surer than it has reason to be. What is predicted stays the same.

    Args:
        log_probs_NK: of rows that the model did not learn from.
        labels_N: true class indices.
    """

    def loss(log_temperature: float) -> float:
        scaled_NK = log_probs_NK / np.exp(log_temperature)
        normalised_NK = scaled_NK - np.logaddexp.reduce(scaled_NK, axis=1, keepdims=True)
        return float(-normalised_NK[np.arange(len(labels_N)), labels_N].mean())

    bound = float(np.log(MOST))
    found = scipy.optimize.minimize_scalar(loss, bounds=(-bound, bound), method="bounded")
    return float(np.exp(found.x))


def at_temperature(table: pa.Table, temperature: float) -> pa.Table:
    """Return the predictions ``table`` with its probabilities at ``temperature``."""
    powers_NK = probabilities(table) ** (1 / temperature)
    probs_NK = powers_NK / powers_NK.sum(axis=1, keepdims=True)
    for k, label in enumerate(known_emotions(table)):
        name = probability_column(label)
        column = pa.array(probs_NK[:, k])
        table = table.set_column(table.column_names.index(name), name, column)
    return table
