"""Intervals and comparisons whose unit is the speaker, not the utterance.

Utterances of one speaker are alike, so speakers are resampled and speakers are flipped. With few
of them the honest answer is the list of their values, or "cannot be tested".

Axis letters: S speaker, K class (true), K class (predicted), D bootstrap draw or flip.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from raysearch.training.metrics import confusion_matrix, uar
from raysearch.training.validation_metrics import confusion_metrics

__all__ = [
    "METRICS",
    "MIN_SPEAKERS_INTERVAL",
    "MIN_SPEAKERS_TEST",
    "Comparison",
    "Interval",
    "compare",
    "describe",
    "difference_interval",
    "holm",
    "interval",
    "num_supported",
    "sign_flip_test",
    "speaker_confusions",
    "speaker_values",
]

MIN_SPEAKERS_INTERVAL = 8
MIN_SPEAKERS_TEST = 6
NUM_DRAWS = 10_000
NUM_FLIPS = 100_000
MAX_EXACT_FLIPS = 2**16
TIE_MARGIN = 0.02

Floats = NDArray[np.float64]
Measure = Callable[[ArrayLike], Floats]
Verdict = Literal["better", "worse", "tie", "not distinguished", "cannot be tested"]

METRICS: Mapping[str, Measure] = {key: metric.of for key, metric in confusion_metrics().items()}


@dataclass(frozen=True)
class Interval:
    """A percentile interval over whole speakers; training variance is not in it."""

    low: float
    high: float
    level: float
    num_speakers: int
    num_draws: int


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same utterances.

    Attributes:
        num_speakers: how many speakers were tested.
        difference: first minus second, in pooled UA (0 to 1).
        p: two-sided p of the sign-flip test; None if it cannot be tested.
        p_holm: ``p`` corrected for all comparisons made together.
        interval: 90% interval of the difference; None below eight speakers.
        verdict: of the first system.
    """

    num_speakers: int
    difference: float
    p: float | None
    p_holm: float | None
    interval: Interval | None
    verdict: Verdict


def speaker_confusions(
    speakers: Sequence[str], true: Sequence[int], predicted: Sequence[int], num_classes: int
) -> tuple[list[str], Floats]:
    """One confusion matrix a speaker, rows true.

    Returns:
        The speakers, sorted, and their matrices ``(S, K, K)``.

    Raises:
        ValueError: a class number outside 0 to ``num_classes - 1``.
    """
    speaker_N, true_N, predicted_N = np.asarray(speakers), np.asarray(true), np.asarray(predicted)
    names = sorted(set(speakers))
    matrices = [
        confusion_matrix(true_N[speaker_N == name], predicted_N[speaker_N == name], num_classes)
        for name in names
    ]
    return names, np.array(matrices, dtype=np.float64).reshape(-1, num_classes, num_classes)


def num_supported(confusion_KK: Floats) -> int:
    """Number of classes that occur among the true labels: what a UA is the mean of."""
    return int((np.asarray(confusion_KK).sum(axis=-1) > 0).sum())


def speaker_values(
    names: Sequence[str], confusions_SKK: Floats, metric: Measure = uar
) -> dict[str, float]:
    """``metric`` of each speaker alone."""
    pairs = zip(names, confusions_SKK, strict=True)
    return {name: float(metric(confusion_KK)) for name, confusion_KK in pairs}


def interval(
    confusions_SKK: Floats,
    metric: Measure = uar,
    *,
    level: float = 0.95,
    num_draws: int = NUM_DRAWS,
    seed: int = 0,
) -> Interval | None:
    """Cluster bootstrap of the pooled ``metric``: whole speakers drawn with replacement.

    Args:
        confusions_SKK: one matrix a speaker; matrices summed over training seeds are fine.
        metric: of a confusion matrix, or of a stack of them.
        level: the interval's coverage.
        num_draws: bootstrap draws.
        seed: of the draws.

    Returns:
        The percentile interval, or None below ``MIN_SPEAKERS_INTERVAL`` speakers.
    """
    num_speakers = len(confusions_SKK)
    if num_speakers < MIN_SPEAKERS_INTERVAL:
        return None
    counts_DS = _draws(num_speakers, num_draws, seed)
    return _percentiles(metric(_pooled(counts_DS, confusions_SKK)), level, num_speakers)


def difference_interval(
    first_SKK: Floats,
    second_SKK: Floats,
    metric: Measure = uar,
    *,
    level: float = 0.90,
    num_draws: int = NUM_DRAWS,
    seed: int = 0,
) -> Interval | None:
    """As ``interval``, for the difference first minus second under the same drawn speakers."""
    num_speakers = len(first_SKK)
    _check_paired(first_SKK, second_SKK)
    if num_speakers < MIN_SPEAKERS_INTERVAL:
        return None
    counts_DS = _draws(num_speakers, num_draws, seed)
    values_D = metric(_pooled(counts_DS, first_SKK)) - metric(_pooled(counts_DS, second_SKK))
    return _percentiles(values_D, level, num_speakers)


def sign_flip_test(
    differences_S: Sequence[float] | Floats, *, num_draws: int = NUM_FLIPS, seed: int = 0
) -> float | None:
    """Two-sided p of the mean difference under random signs, one sign a speaker.

    Exact where all flips number at most 2^16, else sampled with the observed one counted in.

    Returns:
        The p-value, or None below ``MIN_SPEAKERS_TEST`` speakers.
    """
    values_S = np.asarray(differences_S, dtype=np.float64)
    num_speakers = len(values_S)
    if num_speakers < MIN_SPEAKERS_TEST:
        return None
    exact = 2**num_speakers <= MAX_EXACT_FLIPS
    if exact:
        signs_DS = np.array(list(product((1, -1), repeat=num_speakers)), dtype=np.int8)
    else:
        rng = np.random.default_rng(seed)
        signs_DS = 2 * rng.integers(2, size=(num_draws, num_speakers), dtype=np.int8) - 1
    # Sums that are equal on paper may differ in the last bit.
    least = abs(values_S.sum()) - 1e-12 * np.abs(values_S).sum()
    num_extreme = int((np.abs(signs_DS @ values_S) >= least).sum())
    return num_extreme / len(signs_DS) if exact else (num_extreme + 1) / (num_draws + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def compare(
    pairs: Mapping[str, tuple[Floats, Floats]], *, alpha: float = 0.05, seed: int = 0
) -> dict[str, Comparison]:
    """Compare pairs of systems in pooled UA, all corrected together.

    A significant difference is ``better`` or ``worse``; else a ``tie`` only if the difference's
    90% interval lies within +-2 UA points, else ``not distinguished``.

    Args:
        pairs: name to both systems' per-speaker matrices ``(S, K, K)``, the same speakers and
            utterances in the same order; means over training seeds are fine.
        alpha: significance level of the corrected p.
        seed: of bootstrap draws and sampled flips.

    Raises:
        ValueError: the two systems were not scored on the same utterances.
    """
    p_values = {}
    for name, (first_SKK, second_SKK) in pairs.items():
        p_values[name] = sign_flip_test(_shares_of_ua(first_SKK, second_SKK), seed=seed)
    tested = {name: p for name, p in p_values.items() if p is not None}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    results = {}
    for name, (first_SKK, second_SKK) in pairs.items():
        difference = float(_shares_of_ua(first_SKK, second_SKK).sum())
        bounds = difference_interval(first_SKK, second_SKK, seed=seed)
        p_holm = corrected.get(name)
        verdict = _verdict(difference, p_holm, bounds, alpha)
        results[name] = Comparison(
            len(first_SKK), difference, p_values[name], p_holm, bounds, verdict
        )
    return results


def describe(names: Sequence[str], confusions_SKK: Floats, metric: Measure = uar) -> str:
    """The pooled value in percent with its interval, or with the speakers' values and range."""
    value = 100 * float(metric(confusions_SKK.sum(axis=0)))
    bounds = interval(confusions_SKK, metric)
    if bounds is not None:
        return (
            f"{value:.1f} [{100 * bounds.low:.1f}, {100 * bounds.high:.1f}] ({bounds.level:.0%} "
            f"over {len(names)} speakers, training variance not included)"
        )
    values = speaker_values(names, confusions_SKK, metric)
    shown = ", ".join(f"{name} {100 * one:.1f}" for name, one in values.items())
    low, high = 100 * min(values.values()), 100 * max(values.values())
    return f"{value:.1f} ({len(names)} speaker(s), {low:.1f} to {high:.1f}: {shown}; no interval)"


def _verdict(
    difference: float, p_holm: float | None, bounds: Interval | None, alpha: float
) -> Verdict:
    if p_holm is None:
        return "cannot be tested"
    if p_holm <= alpha:
        return "better" if difference > 0 else "worse"
    tied = bounds is not None and bounds.low >= -TIE_MARGIN and bounds.high <= TIE_MARGIN
    return "tie" if tied else "not distinguished"


def _shares_of_ua(first_SKK: Floats, second_SKK: Floats) -> Floats:
    """What each speaker adds to the difference in pooled UA; the sum is that difference.

    Swapping the two systems for a speaker flips exactly that speaker's sign, because pooled UA
    is linear in the correct counts once every class' support is fixed.
    """
    _check_paired(first_SKK, second_SKK)
    support_K = first_SKK.sum(axis=(0, 2))
    correct_SK = np.diagonal(first_SKK, axis1=1, axis2=2) - np.diagonal(
        second_SKK, axis1=1, axis2=2
    )
    present_K = support_K > 0
    recall_SK = correct_SK[:, present_K] / support_K[present_K]
    return np.asarray(recall_SK.sum(axis=1) / present_K.sum(), dtype=np.float64)


def _check_paired(first_SKK: Floats, second_SKK: Floats) -> None:
    same = first_SKK.shape == second_SKK.shape
    if not same or not np.allclose(first_SKK.sum(axis=2), second_SKK.sum(axis=2)):
        raise ValueError("the two systems were not scored on the same utterances of each speaker")


def _draws(num_speakers: int, num_draws: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    counts_DS = rng.multinomial(num_speakers, [1 / num_speakers] * num_speakers, size=num_draws)
    return counts_DS.astype(np.float64)


def _pooled(counts_DS: Floats, confusions_SKK: Floats) -> Floats:
    pooled_DKK: Floats = np.tensordot(counts_DS, confusions_SKK, axes=1)
    return pooled_DKK


def _percentiles(values_D: Floats, level: float, num_speakers: int) -> Interval:
    tail = (1 - level) / 2
    low, high = np.quantile(values_D, [tail, 1 - tail])
    return Interval(float(low), float(high), level, num_speakers, len(values_D))
