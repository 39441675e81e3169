"""How far a model's confidence is from how often it is right."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from raysearch.evaluation.probability_columns import probabilities

__all__ = ["CalibrationBin", "calibration_bins", "calibration_error"]

NUM_BINS = 10


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
