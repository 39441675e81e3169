"""Which of a search's models are worth having together: greedy ensemble selection.

As Caruana et al. 2004 ("Ensemble selection from libraries of models", ICML): start from the best,
add with replacement whichever helps most, keep the smallest ensemble that was best. It is scored
by UA, ties by log-loss, on the inner validation rows. Those are few, so a selection's own score
flatters it: what it is worth is measured on speakers that it was not selected by.

Axes: N utterances, K emotions.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from raysearch.training.metrics import confusion_matrix, uar

__all__ = [
    "Candidate",
    "Comparison",
    "clearly_ahead",
    "compare_with_single",
    "difference_error",
    "informed",
    "mean_log_probs",
    "select",
    "value",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# More members than this are chosen by chance on a few hundred validation rows.
MAX_SIZE = 10
# Of how many of the best models, together, the search for an ensemble starts.
MAX_START = 3
# The best of some tens of equals is seldom more standard errors ahead of one of them by luck alone.
LUCK = 3.0


@dataclass(frozen=True)
class Candidate:
    """A model of the search, and what it says of every inner validation row.

    Attributes:
        number: its trial.
        log_probs: (N, K), each row by the net that did not learn from it.
    """

    number: int
    log_probs: Floats


@dataclass(frozen=True)
class Comparison:
    """What a selection is worth on speakers that did not select it.

    Attributes:
        single: UA of the best single model, chosen in the same way.
        ensemble: UA of the ensemble.
        error: standard error of the difference, from the rows that the two decide differently.
    """

    single: float
    ensemble: float
    error: float

    @property
    def pays(self) -> bool:
        """Whether the ensemble is better by more than chance would explain."""
        return self.ensemble - self.single > self.error


def value(log_probs_NK: Floats, labels_N: Ints) -> tuple[float, float]:
    """UA, then minus the mean log-loss; both are better if higher."""
    confusion = confusion_matrix(labels_N, log_probs_NK.argmax(axis=1), log_probs_NK.shape[1])
    likelihood_NK = log_probs_NK - np.logaddexp.reduce(log_probs_NK, axis=1, keepdims=True)
    return float(uar(confusion)), float(likelihood_NK[np.arange(len(labels_N)), labels_N].mean())


def mean_log_probs(candidates: Sequence[Candidate], counts: Mapping[int, float]) -> Floats:
    """The weighted mean of the log-probabilities of the members that ``counts`` names."""
    chosen = [(counts[c.number], c.log_probs) for c in candidates if counts.get(c.number)]
    total: Floats = sum(
        (count * log_probs for count, log_probs in chosen), np.zeros_like(chosen[0][1])
    )
    return total / sum(count for count, _ in chosen)


def informed(candidates: Sequence[Candidate], labels_N: Ints) -> tuple[Candidate, ...]:
    """Leave out what tells emotions apart no better than guessing does.

    A net that has learned nothing yet says almost the same of every row. On few rows that may help
    an ensemble as a handicap of some emotions would; what its settings give when they are learned
    to their end is another matter. auto-sklearn leaves models out likewise that a dummy matches.

    Args:
        candidates: the first is the best trial's, which stays in any case.
        labels_N: true class indices of the rows.
    """
    return (candidates[0], *(c for c in candidates[1:] if _beats_guessing(c, labels_N)))


def _beats_guessing(candidate: Candidate, labels_N: Ints) -> bool:
    """Whether its UA is above one emotion's share by more than luck explains."""
    is_right_N = candidate.log_probs.argmax(axis=1) == labels_N
    classes = np.unique(labels_N)
    of_class = [is_right_N[labels_N == k] for k in classes]
    error = np.sqrt(sum(right.var() / len(right) for right in of_class)) / len(classes)
    uar_of_rows = float(np.mean([right.mean() for right in of_class]))
    return bool(uar_of_rows - 1 / len(classes) > LUCK * error)


def select(candidates: Sequence[Candidate], labels_N: Ints) -> dict[int, int]:
    """The ensemble: trial number to how often it was taken.

    Args:
        candidates: at least one.
        labels_N: true class indices of the rows.
    """
    order = sorted(candidates, key=lambda c: value(c.log_probs, labels_N), reverse=True)
    starts = [
        Counter(c.number for c in order[:size]) for size in range(1, 1 + min(MAX_START, len(order)))
    ]

    def worth(counts: Mapping[int, int]) -> tuple[float, float]:
        return value(mean_log_probs(order, counts), labels_N)

    best = counts = max(starts, key=worth)  # of equals the first, the smallest
    while counts.total() < MAX_SIZE:
        counts = max((counts + Counter([c.number]) for c in order), key=worth)
        if worth(counts) > worth(best):
            best = counts
    return dict(best)


def compare_with_single(
    candidates: Sequence[Candidate], labels_N: Ints, groups_N: Sequence[str]
) -> Comparison | None:
    """Each group's rows judged by a model and an ensemble that the other groups chose.

    Args:
        candidates: at least one.
        labels_N: true class indices.
        groups_N: the speaker of each row.

    Returns:
        The two figures, or ``None`` where a single group leaves nobody to choose by.
    """
    names = np.asarray(groups_N)
    groups = sorted(set(groups_N))
    if len(groups) < 2:
        return None
    single_N = np.zeros_like(labels_N)
    ensemble_N = np.zeros_like(labels_N)
    for group in groups:
        inside, outside = names == group, names != group
        part = [Candidate(c.number, c.log_probs[outside]) for c in candidates]
        whole = [Candidate(c.number, c.log_probs[inside]) for c in candidates]
        best = max(part, key=lambda c: value(c.log_probs, labels_N[outside])).number
        single_N[inside] = mean_log_probs(whole, {best: 1}).argmax(axis=1)
        counts = select(part, labels_N[outside])
        ensemble_N[inside] = mean_log_probs(whole, counts).argmax(axis=1)
    num_classes = candidates[0].log_probs.shape[1]
    ua = [float(uar(confusion_matrix(labels_N, p, num_classes))) for p in (single_N, ensemble_N)]
    return Comparison(ua[0], ua[1], difference_error(labels_N, single_N, ensemble_N))


def clearly_ahead(best: Candidate, other: Candidate, labels_N: Ints) -> bool:
    """Whether the best of a search is better than ``other`` by more than the luck of being chosen.

    Args:
        best: what was chosen by these rows.
        other: what was not.
        labels_N: true class indices.
    """
    gain = value(best.log_probs, labels_N)[0] - value(other.log_probs, labels_N)[0]
    best_N, other_N = best.log_probs.argmax(axis=1), other.log_probs.argmax(axis=1)
    return gain > LUCK * difference_error(labels_N, other_N, best_N)


def difference_error(labels_N: Ints, first_N: Ints, second_N: Ints) -> float:
    """Standard error of the difference of two UAs on the same rows."""
    gain_N = (second_N == labels_N).astype(float) - (first_N == labels_N)
    classes = np.unique(labels_N)
    variances = [gain_N[labels_N == k].var() / (labels_N == k).sum() for k in classes]
    return float(np.sqrt(sum(variances)) / len(classes))
