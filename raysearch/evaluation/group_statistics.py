"""Groups of test rows compared under one system: women and men, one language and another.

As a rule each group has speakers of its own. So this is a comparison between speakers: none is
paired with another, and what a group's figure varies by is what changes when one of *its* units is
left out. A unit is a fold, or a speaker where one model tested all (``units``). Where a fold tests
speakers of both groups, one model made both figures, and what it did to all of them is no
difference between the groups: there the two changes are taken together, and only their difference
counts. That is the rule for one speaker who is in both groups, too, as with two languages.

- Every unit has both groups: t over the differences, with one degree less than there are units.
- No unit has both: the variances of the two groups add up, and Welch and Satterthwaite's formula
  gives the degrees.
- Some have both: the variance is that of both rules together; the degrees are those of the smaller
  group, which is the fewest that they can be.

A group needs four units of its own, and both together as many speakers and folds as any test here.
``results/reference/group_statistics.md`` has how often each case is wrong.

Axis letters: S speaker, U unit, K class (true), K class (predicted).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from raysearch.evaluation.statistics import Comparison, Floats, Interval, holm, verdict_of
from raysearch.evaluation.units import (
    MIN_FOLDS,
    MIN_SPEAKERS_INTERVAL,
    MIN_SPEAKERS_TEST,
    Spread,
    Units,
    t_half_width,
    t_test,
)
from raysearch.training.metrics import uar

__all__ = ["compare_groups", "group_spread"]

LEVEL = 0.90


@dataclass(frozen=True)
class _Influence:
    """What leaving each unit out changes in a group's UA; 0 where the unit has none of it."""

    has_U: NDArray[np.bool_]
    change_U: Floats

    @property
    def number(self) -> int:
        """How many units the group has."""
        return int(self.has_U.sum())

    @property
    def variance(self) -> float:
        """The jackknife's, over the group's own units."""
        return float(np.square(self.change_U).sum())


def compare_groups(
    groups: Mapping[str, Floats],
    pairs: Sequence[tuple[str, str]],
    *,
    folds: Sequence[int] | None = None,
    alpha: float = 0.05,
) -> list[Comparison]:
    """Compare groups of rows in pooled UA, all pairs corrected together by Holm's rule.

    Args:
        groups: name to the matrices of all speakers ``(S, K, K)``, of that group's rows alone;
            zeros for a speaker who has none. Sums over training seeds are fine. The two groups of
            a pair must have an emotion in common: only such emotions are compared.
        pairs: the names of each pair; a difference is the first minus the second.
        folds: each speaker's fold, as ``folds_of_speakers`` gives it; None if not known.
        alpha: significance level of the corrected p.
    """
    found = [_compared(groups[a], groups[b], folds) for a, b in pairs]
    tested = [n for n, one in enumerate(found) if one.p is not None]
    p_holm = dict(zip(tested, holm([one.p for one in found if one.p is not None]), strict=True))
    return [
        replace(one, p_holm=p, verdict=verdict_of(one.difference, p, one.interval, alpha))
        for one, p in ((one, p_holm.get(n)) for n, one in enumerate(found))
    ]


def group_spread(first_SKK: Floats, second_SKK: Floats, units: Units) -> Spread:
    """The difference first minus second in pooled UA, its error and degrees, by the rule above."""
    first_SKK, second_SKK = _of_common_classes(first_SKK, second_SKK)
    estimate = float(uar(first_SKK.sum(axis=0)) - uar(second_SKK.sum(axis=0)))
    first, second = (_influence(units.sums(one)) for one in (first_SKK, second_SKK))
    variance = float(np.square(first.change_U - second.change_U).sum())
    return Spread(estimate, variance**0.5, _freedom(first, second))


def _of_common_classes(first_SKK: Floats, second_SKK: Floats) -> tuple[Floats, Floats]:
    """Both without the rows of emotions that one of them lacks."""
    common_K = np.logical_and(*(one.sum(axis=(0, 2)) > 0 for one in (first_SKK, second_SKK)))
    if not common_K.any():
        raise ValueError("the two groups have no emotion in common")
    return first_SKK * common_K[:, None], second_SKK * common_K[:, None]


def _influence(parts_UKK: Floats) -> _Influence:
    total_KK = parts_UKK.sum(axis=0)
    has_U = parts_UKK.sum(axis=(1, 2)) > 0
    number = int(has_U.sum())
    if number < 2:
        return _Influence(has_U, np.zeros(len(parts_UKK)))
    without_U = uar(total_KK - parts_UKK)
    scale = ((number - 1) / number) ** 0.5
    return _Influence(has_U, np.where(has_U, scale * (without_U - float(uar(total_KK))), 0.0))


def _freedom(first: _Influence, second: _Influence) -> float:
    if (first.has_U & second.has_U).any():
        return min(first.number, second.number) - 1
    parts = [one.variance**2 / max(one.number - 1, 1) for one in (first, second)]
    least = min(first.number, second.number) - 1
    return (first.variance + second.variance) ** 2 / sum(parts) if sum(parts) > 0 else least


def _compared(first_SKK: Floats, second_SKK: Floats, folds: Sequence[int] | None) -> Comparison:
    """One pair, before p is corrected and a verdict is made of it."""
    first_SKK, second_SKK = _of_common_classes(first_SKK, second_SKK)
    chosen = np.flatnonzero((first_SKK + second_SKK).sum(axis=(1, 2)) > 0)
    units = Units.of(len(chosen), None if folds is None else [folds[s] for s in chosen.tolist()])
    first, second = first_SKK[chosen], second_SKK[chosen]
    spread = group_spread(first, second, units)
    has = [units.sums(one.sum(axis=(1, 2))) > 0 for one in (first, second)]
    few = _few(units, min(int(one.sum()) for one in has))
    lack = units.lack(MIN_SPEAKERS_TEST) or few
    method = _method(units, *has)
    bounds = None
    if not (units.lack(MIN_SPEAKERS_INTERVAL) or few):
        half = t_half_width(spread, LEVEL)
        ends = spread.estimate - half, spread.estimate + half
        bounds = Interval(*ends, LEVEL, len(chosen), method)
    return Comparison(
        num_speakers=len(chosen),
        difference=spread.estimate,
        p=None if lack else t_test(spread),
        p_holm=None,
        interval=bounds,
        verdict="cannot be tested",
        method=method,
        lack=lack,
    )


def _few(units: Units, number: int) -> str | None:
    """What is said of the smaller group if it has too few units; None if it has enough."""
    if number >= MIN_FOLDS:
        return None
    return f"{number} {_word(units)} of one group; {MIN_FOLDS} of each are needed"


def _word(units: Units) -> str:
    several = units.num_folds is not None and units.num_folds > 1
    return "folds" if several else "speakers"


def _method(units: Units, first_U: NDArray[np.bool_], second_U: NDArray[np.bool_]) -> str:
    word, common = _word(units), int((first_U & second_U).sum())
    if not common:
        how = f"Welch's t over {first_U.sum()} and {second_U.sum()} {word}"
    elif common == units.number:
        how = f"t over {common} {word} that have both"
    else:
        how = f"t over {units.number} {word}, {common} of which have both"
    if units.num_folds is None:
        return f"{how}, folds not known: too narrow if they share any"
    return f"{how} of one fold: holds for these trainings alone" if units.num_folds == 1 else how
