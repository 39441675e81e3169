"""Intervals and comparisons whose unit is a fold of speakers, not the utterance.

Utterances of one speaker are alike, and speakers of one fold share a model: so a fold is left out
at a time, and what that changes gives a t interval and a t-test (``units``). Simulations chose this
rule among others (``results/reference/statistics.md``). With few folds or speakers the honest
answer is the list of the speakers' values, or "cannot be tested".

Axis letters: S speaker, U unit, K class (true), K class (predicted).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from raysearch.evaluation.units import (
    MIN_SPEAKERS_INTERVAL,
    MIN_SPEAKERS_TEST,
    Spread,
    Units,
    t_half_width,
    t_test,
)
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
    "paired_test",
    "speaker_confusions",
    "speaker_values",
    "verdict_of",
]

TIE_MARGIN = 0.02
# Tukey's lambda: at 0 its scale is log-odds, below 0 it draws out the ends further.
BEND = -0.25

Floats = NDArray[np.float64]
Measure = Callable[[ArrayLike], Floats]
Verdict = Literal["better", "worse", "tie", "not distinguished", "cannot be tested"]

METRICS: Mapping[str, Measure] = {key: metric.of for key, metric in confusion_metrics().items()}


@dataclass(frozen=True)
class Interval:
    """A t interval over units.

    Attributes:
        low: its lower end.
        high: its upper end.
        level: how often such intervals hold what they estimate.
        num_speakers: how many speakers were tested.
        method: how it was made, in one phrase.
    """

    low: float
    high: float
    level: float
    num_speakers: int
    method: str


@dataclass(frozen=True)
class Comparison:
    """Two systems on the same utterances.

    Attributes:
        num_speakers: how many speakers were tested.
        difference: first minus second, in the pooled metric (0 to 1).
        p: two-sided p of the t-test; None if it cannot be tested.
        p_holm: ``p`` corrected for all comparisons made together.
        interval: 90% interval of the difference; None where there is too little for one.
        verdict: of the first system.
        method: what was tested over what, in one phrase.
        lack: what would be needed for a test; None where there is one.
    """

    num_speakers: int
    difference: float
    p: float | None
    p_holm: float | None
    interval: Interval | None
    verdict: Verdict
    method: str
    lack: str | None


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
    folds: Sequence[int] | None = None,
    level: float = 0.95,
) -> Interval | None:
    """The t interval of the pooled ``metric`` over folds, made on the scale of Tukey's lambda.

    Near 100% a figure can fall further than it can rise, which that scale follows.

    Args:
        confusions_SKK: one matrix a speaker; matrices summed over training seeds are fine.
        metric: of a confusion matrix, or of a stack of them; from 0 to 1.
        folds: each speaker's fold, as ``folds_of_speakers`` gives it; None if not known.
        level: the interval's coverage.

    Returns:
        The interval, or None where ``Units.lack`` says what is needed.
    """
    units = Units.of(len(confusions_SKK), folds)
    if units.lack(MIN_SPEAKERS_INTERVAL):
        return None
    parts_UKK = units.sums(confusions_SKK)
    total_KK = parts_UKK.sum(axis=0)
    value = float(metric(total_KK))
    # Half an utterance from either end: nobody is right, or wrong, in all that they ever say.
    least = 0.5 / float(total_KK.sum())
    centre = float(_scaled(value, least))
    spread = units.spread(centre, _scaled(metric(total_KK - parts_UKK), least))
    half = t_half_width(spread, level)
    low, high = (float(scipy.special.tklmbda(end, BEND)) for end in (centre - half, centre + half))
    return Interval(min(low, value), max(high, value), level, len(confusions_SKK), units.method)


def difference_interval(
    first_SKK: Floats,
    second_SKK: Floats,
    metric: Measure = uar,
    *,
    folds: Sequence[int] | None = None,
    level: float = 0.90,
) -> Interval | None:
    """The t interval over folds of the difference first minus second in the pooled ``metric``."""
    units = Units.of(len(first_SKK), folds)
    spread = _difference(first_SKK, second_SKK, metric, units)
    if units.lack(MIN_SPEAKERS_INTERVAL):
        return None
    half = t_half_width(spread, level)
    low, high = spread.estimate - half, spread.estimate + half
    return Interval(low, high, level, len(first_SKK), units.method)


def paired_test(
    first_SKK: Floats,
    second_SKK: Floats,
    metric: Measure = uar,
    *,
    folds: Sequence[int] | None = None,
) -> float | None:
    """Two-sided p of a t-test over folds of the difference in the pooled ``metric``.

    Returns:
        The p-value, or None where ``Units.lack`` says what is needed.
    """
    units = Units.of(len(first_SKK), folds)
    spread = _difference(first_SKK, second_SKK, metric, units)
    return None if units.lack(MIN_SPEAKERS_TEST) else t_test(spread)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given."""
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def compare(
    pairs: Mapping[str, tuple[Floats, Floats]],
    metric: Measure = uar,
    *,
    folds: Mapping[str, Sequence[int]] | None = None,
    alpha: float = 0.05,
) -> dict[str, Comparison]:
    """Compare pairs of systems in a pooled metric, all corrected together.

    A significant difference is ``better`` or ``worse``; else a ``tie`` only if the difference's
    90% interval lies within +-2 points, else ``not distinguished``.

    Args:
        pairs: name to both systems' per-speaker matrices ``(S, K, K)``, the same speakers and
            utterances in the same order; means over training seeds are fine.
        metric: from 0 to 1.
        folds: name to each speaker's fold; a pair without them has folds that are not known.
        alpha: significance level of the corrected p.

    Raises:
        ValueError: the two systems were not scored on the same utterances.
    """
    of_pair = {name: (folds or {}).get(name) for name in pairs}
    p_values = {
        name: paired_test(*pair, metric, folds=of_pair[name]) for name, pair in pairs.items()
    }
    tested = {name: p for name, p in p_values.items() if p is not None}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    results = {}
    for name, (first_SKK, second_SKK) in pairs.items():
        units = Units.of(len(first_SKK), of_pair[name])
        difference = float(metric(first_SKK.sum(axis=0)) - metric(second_SKK.sum(axis=0)))
        bounds = difference_interval(first_SKK, second_SKK, metric, folds=of_pair[name])
        p_holm = corrected.get(name)
        results[name] = Comparison(
            num_speakers=len(first_SKK),
            difference=difference,
            p=p_values[name],
            p_holm=p_holm,
            interval=bounds,
            verdict=verdict_of(difference, p_holm, bounds, alpha),
            method=units.method,
            lack=units.lack(MIN_SPEAKERS_TEST),
        )
    return results


def describe(
    names: Sequence[str],
    confusions_SKK: Floats,
    metric: Measure = uar,
    *,
    folds: Sequence[int] | None = None,
) -> str:
    """The pooled value in percent with its interval, or with the speakers' values and range."""
    value = 100 * float(metric(confusions_SKK.sum(axis=0)))
    bounds = interval(confusions_SKK, metric, folds=folds)
    if bounds is not None:
        return (
            f"{value:.1f} [{100 * bounds.low:.1f}, {100 * bounds.high:.1f}] ({bounds.level:.0%}, "
            f"{bounds.method})"
        )
    values = speaker_values(names, confusions_SKK, metric)
    shown = ", ".join(f"{name} {100 * one:.1f}" for name, one in values.items())
    low, high = 100 * min(values.values()), 100 * max(values.values())
    return f"{value:.1f} ({len(names)} speaker(s), {low:.1f} to {high:.1f}: {shown}; no interval)"


def verdict_of(
    difference: float, p_holm: float | None, bounds: Interval | None, alpha: float
) -> Verdict:
    """What may be said of a difference; see ``compare``."""
    if p_holm is None:
        return "cannot be tested"
    if p_holm <= alpha:
        return "better" if difference > 0 else "worse"
    tied = bounds is not None and bounds.low >= -TIE_MARGIN and bounds.high <= TIE_MARGIN
    return "tie" if tied else "not distinguished"


def _difference(first_SKK: Floats, second_SKK: Floats, metric: Measure, units: Units) -> Spread:
    _check_paired(first_SKK, second_SKK)
    first_UKK, second_UKK = units.sums(first_SKK), units.sums(second_SKK)
    first_KK, second_KK = first_UKK.sum(axis=0), second_UKK.sum(axis=0)
    without_U = metric(first_KK - first_UKK) - metric(second_KK - second_UKK)
    return units.spread(float(metric(first_KK) - metric(second_KK)), without_U)


def _check_paired(first_SKK: Floats, second_SKK: Floats) -> None:
    same = first_SKK.shape == second_SKK.shape
    if not same or not np.allclose(first_SKK.sum(axis=2), second_SKK.sum(axis=2)):
        raise ValueError("the two systems were not scored on the same utterances of each speaker")


def _scaled(share: ArrayLike, least: float) -> Floats:
    """Tukey's lambda quantile of a share that is held ``least`` from 0 and 1."""
    held = np.clip(share, least, 1 - least)
    scaled: Floats = scipy.special.boxcox(held, BEND) - scipy.special.boxcox(1 - held, BEND)
    return scaled
