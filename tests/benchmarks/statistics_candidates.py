"""Candidate intervals and tests of a mean over speakers, for many made evaluations at once.

Axis letters: R made evaluation, S speaker, F fold, D draw.
"""

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
from scipy import special

__all__ = ["BENDS", "INTERVALS", "RESAMPLED", "TESTS", "by_folds", "by_folds_bent", "rejections"]

Bounds = tuple[np.ndarray, np.ndarray]
Candidate = Callable[[np.ndarray, np.ndarray], Bounds]

LEVEL = 0.95
NUM_DRAWS = 400
MOST_EXACT = 10


def _quantile(freedom: int) -> float:
    return float(special.stdtrit(freedom, (1 + LEVEL) / 2))


def _around(centre_R: np.ndarray, variance_R: np.ndarray, quantile: np.ndarray | float) -> Bounds:
    half_R = quantile * np.sqrt(variance_R)
    return centre_R - half_R, centre_R + half_R


def _without_each(values_RS: np.ndarray, fold_S: np.ndarray) -> np.ndarray:
    """The mean without each fold, (R, F)."""
    member_SF = np.eye(fold_S.max() + 1)[fold_S]
    rest_RF = values_RS.sum(axis=1, keepdims=True) - values_RS @ member_SF
    return rest_RF / (len(fold_S) - member_SF.sum(axis=0))


def _jackknife(centre_R: np.ndarray, without_RF: np.ndarray) -> np.ndarray:
    num_folds = without_RF.shape[1]
    return (num_folds - 1) / num_folds * np.square(without_RF - centre_R[:, None]).sum(axis=1)


def by_folds(values_RS: np.ndarray, fold_S: np.ndarray) -> Bounds:
    """The t interval of the jackknife over folds."""
    centre_R = values_RS.mean(axis=1)
    variance_R = _jackknife(centre_R, _without_each(values_RS, fold_S))
    return _around(centre_R, variance_R, _quantile(fold_S.max()))


def by_folds_bent(
    values_RS: np.ndarray, fold_S: np.ndarray, bend: float, least: float = 1e-4
) -> Bounds:
    """The same on the scale of Tukey's lambda, whose ends are drawn out: for shares alone.

    Args:
        values_RS: shares of right answers.
        fold_S: each speaker's fold.
        bend: lambda; 0 is log-odds, below it the ends are drawn out further.
        least: how near to 0 or 1 a mean is taken.
    """

    def scale(share: np.ndarray) -> np.ndarray:
        held = np.clip(share, least, 1 - least)
        return special.boxcox(held, bend) - special.boxcox(1 - held, bend)

    centre_R = scale(values_RS.mean(axis=1))
    variance_R = _jackknife(centre_R, scale(_without_each(values_RS, fold_S)))
    low_R, high_R = _around(centre_R, variance_R, _quantile(fold_S.max()))
    return special.tklmbda(low_R, bend), special.tklmbda(high_R, bend)


def by_speakers(values_RS: np.ndarray, fold_S: np.ndarray) -> Bounds:
    """The t interval over speakers, as if none shared a model."""
    return by_folds(values_RS, np.arange(len(fold_S)))


def by_folds_or_speakers(values_RS: np.ndarray, fold_S: np.ndarray) -> Bounds:
    """By folds where they show more variance than speakers alone would, else by speakers."""
    centre_R = values_RS.mean(axis=1)
    folds_R = _jackknife(centre_R, _without_each(values_RS, fold_S))
    speakers_R = values_RS.var(axis=1, ddof=1) / len(fold_S)
    more_R = folds_R > speakers_R
    quantile_R = np.where(more_R, _quantile(fold_S.max()), _quantile(len(fold_S) - 1))
    return _around(centre_R, np.where(more_R, folds_R, speakers_R), quantile_R)


def bootstrap_speakers(values_RS: np.ndarray, fold_S: np.ndarray) -> Bounds:
    """Percentiles over drawn speakers."""
    num = len(fold_S)
    counts_DS = np.random.default_rng(0).multinomial(num, np.full(num, 1 / num), NUM_DRAWS)
    return _percentiles(values_RS, counts_DS)


def bootstrap_folds(values_RS: np.ndarray, fold_S: np.ndarray) -> Bounds:
    """Percentiles over drawn folds, each with all its speakers."""
    return _percentiles(values_RS, _drawn_folds(fold_S)[:, fold_S])


def bootstrap_folds_widened(values_RS: np.ndarray, fold_S: np.ndarray) -> Bounds:
    """The same, made wider as t is wider than a normal distribution."""
    low_R, high_R = bootstrap_folds(values_RS, fold_S)
    num_folds, centre_R = fold_S.max() + 1, values_RS.mean(axis=1)
    widen = _quantile(num_folds - 1) / special.ndtri((1 + LEVEL) / 2)
    widen *= (num_folds / (num_folds - 1)) ** 0.5
    return centre_R - widen * (centre_R - low_R), centre_R + widen * (high_R - centre_R)


def bootstrap_both(values_RS: np.ndarray, fold_S: np.ndarray) -> Bounds:
    """Percentiles over drawn folds, and speakers drawn anew within each drawn fold."""
    rng = np.random.default_rng(1)
    times_DF = _drawn_folds(fold_S)
    counts_DS = np.zeros((NUM_DRAWS, len(fold_S)))
    for fold in range(fold_S.max() + 1):
        members = np.flatnonzero(fold_S == fold)
        share = np.full(len(members), 1 / len(members))
        counts_DS[:, members] = rng.multinomial(times_DF[:, fold] * len(members), share)
    return _percentiles(values_RS, counts_DS)


def _drawn_folds(fold_S: np.ndarray) -> np.ndarray:
    num = fold_S.max() + 1
    return np.random.default_rng(0).multinomial(num, np.full(num, 1 / num), NUM_DRAWS)


def _percentiles(values_RS: np.ndarray, counts_DS: np.ndarray) -> Bounds:
    weights_DS = counts_DS / counts_DS.sum(axis=1, keepdims=True)
    below = round((1 - LEVEL) / 2 * NUM_DRAWS)
    ends = [below, NUM_DRAWS - 1 - below]
    means_RD = np.partition(values_RS @ weights_DS.T, ends, axis=1)
    return means_RD[:, ends[0]], means_RD[:, ends[1]]


def flips_of_speakers(values_RS: np.ndarray, fold_S: np.ndarray) -> np.ndarray:
    """Whether random signs, one a speaker, give so large a sum in 5% or less."""
    return _flipped(values_RS)


def flips_of_folds(values_RS: np.ndarray, fold_S: np.ndarray) -> np.ndarray:
    """The same with one sign a fold."""
    return _flipped(values_RS @ np.eye(fold_S.max() + 1)[fold_S])


def _flipped(values_RU: np.ndarray) -> np.ndarray:
    num = values_RU.shape[1]
    if num <= MOST_EXACT:
        signs_DU = np.array(list(product((1.0, -1.0), repeat=num)))
    else:
        signs_DU = 2.0 * np.random.default_rng(0).integers(2, size=(999, num)) - 1
        signs_DU = np.vstack([np.ones(num), signs_DU])
    sums_RD = np.abs(values_RU @ signs_DU.T)
    least_R = sums_RD[:, :1] - 1e-12 * np.abs(values_RU).sum(axis=1, keepdims=True)
    return (sums_RD >= least_R).mean(axis=1) <= 1 - LEVEL


INTERVALS: Mapping[str, Candidate] = {
    "bootstrap of speakers": bootstrap_speakers,
    "bootstrap of folds": bootstrap_folds,
    "bootstrap of folds, widened as t": bootstrap_folds_widened,
    "bootstrap of folds, then speakers": bootstrap_both,
    "t over speakers": by_speakers,
    "t over folds or speakers": by_folds_or_speakers,
    "t over folds": by_folds,
}
TESTS: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "flips of speakers": flips_of_speakers,
    "flips of folds": flips_of_folds,
}
# For means of shares alone: Tukey's lambda.
BENDS = {"t over folds, log-odds": 0.0, "t over folds, lambda -1/4": -0.25}
# These cost as many means as they draw.
RESAMPLED = {name for name in [*INTERVALS, *TESTS] if "bootstrap" in name or "flips" in name}


def rejections(bounds: Bounds, truth: float) -> np.ndarray:
    """Whether each interval does not hold ``truth``."""
    return (truth < bounds[0]) | (truth > bounds[1])
