"""The built-in metrics of validation rows; ``config/metric_table.py`` gives them their names."""

import statistics
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from numpy.typing import ArrayLike

from raysearch.config.metric_table import EpochScores, Metric, listed_metrics, metric_of
from raysearch.training.metrics import Floats, accuracy, macro_f1, uar

__all__ = [
    "NUM_MEAN",
    "ConfusionMetric",
    "ValCcc",
    "ValCccArousal",
    "ValCccDominance",
    "ValCccValence",
    "ValJs",
    "ValLoss",
    "ValMacroF1",
    "ValUar",
    "ValUarMean3",
    "ValWa",
    "confusion_metrics",
]

NUM_MEAN = 3


class ConfusionMetric(Metric):
    """A metric that a confusion matrix decides; one that is listed scores test rows, too."""

    key: ClassVar[str]
    """What the figure of test rows is called in evaluation.json."""

    @abstractmethod
    def of(self, confusion: ArrayLike) -> Floats:
        """Return the metric of matrices ``(..., K, K)``, true classes as rows: ``(...)``."""

    def compute(self, scores: EpochScores) -> float:
        """Return the metric of an epoch's matrix."""
        return float(self.of(scores.confusion_KK))


class ValUar(ConfusionMetric):
    """Unweighted average recall."""

    key, heading, label = "ua", "val UA", "UA"
    listed = is_recall = True

    def of(self, confusion: ArrayLike) -> Floats:
        """Return the mean of the recalls of the classes that have rows."""
        return uar(confusion)


class ValUarMean3(Metric):
    """The mean ``val_uar`` of an epoch and up to two before it: one lucky epoch does not win it."""

    heading, label = "3-epoch val UA", "3-epoch UA"
    is_recall = True

    def compute(self, scores: EpochScores) -> float:
        """Return the mean over the last ``NUM_MEAN`` epochs, or over fewer at the beginning."""
        recent = [past["val_uar"] for past in scores.history[1 - NUM_MEAN :]]
        return statistics.fmean([*recent, ValUar().compute(scores)])


class ValWa(ConfusionMetric):
    """Accuracy, which the field calls weighted accuracy."""

    key, heading, label = "wa", "val WA", "WA"
    listed = True

    def of(self, confusion: ArrayLike) -> Floats:
        """Return the share of rows that are recognised."""
        return accuracy(confusion)

    def variance(self, value: float, counts: Sequence[int]) -> float:
        """Return the variance of one binomial share of all rows."""
        p = min(max(value, 0.0), 1.0)
        return p * (1 - p) / sum(counts)


class ValMacroF1(ConfusionMetric):
    """Mean F1 of the classes; it is taken to vary by chance as the mean recall does."""

    key, heading, label = "macro_f1", "val F1", "macro-F1"
    listed = True

    def of(self, confusion: ArrayLike) -> Floats:
        """Return the mean of the F1 of the classes that have rows."""
        return macro_f1(confusion)


class ValLoss(Metric):
    """Mean log-loss of a row."""

    heading, label, unit = "val loss", "loss", ""
    lower_is_better, ideal = True, 0.0

    def compute(self, scores: EpochScores) -> float:
        """Return the loss, which the scores hold."""
        return scores.loss

    def text(self, value: float) -> str:
        """Write the loss as a number."""
        return self.difference(value)

    def difference(self, value: float, sign: str = "") -> str:
        """Write a difference as a number."""
        return f"{value:{sign}.3f}"

    def variance(self, value: float, counts: Sequence[int]) -> float:
        """Return the variance of a mean of rows whose deviation is about the mean itself.

        As an exponential variable's is.
        """
        return value**2 / sum(counts)


class ValJs(Metric):
    """Mean Jensen-Shannon divergence of a row's probabilities from its votes, in bits.

    Lin 1991 ("Divergence measures based on the Shannon entropy", IEEE Trans. Inf. Theory 37): 0
    where they are equal, 1 where they have nothing in common. Unlike Kullback and Leibler's it is
    bounded, so that a few sure mistakes do not outweigh all else; it is one of those that are used
    for annotators who disagree (Uma et al. 2021, "Learning from Disagreement: A Survey", JAIR 72).
    """

    key: ClassVar[str] = "js"
    heading, label, unit = "val JS", "JS divergence", ""
    lower_is_better, ideal = True, 0.0
    of_votes = True

    def compute(self, scores: EpochScores) -> float:
        """Return the divergence, which the scores hold.

        Raises:
            ValueError: the rows have no votes.
        """
        if scores.divergence is None:
            raise ValueError("val_js: no recording has votes")
        return scores.divergence

    def text(self, value: float) -> str:
        """Write the divergence as a number."""
        return self.difference(value)

    def difference(self, value: float, sign: str = "") -> str:
        """Write a difference as a number."""
        return f"{value:{sign}.3f}"

    def variance(self, value: float, counts: Sequence[int]) -> float:
        """Return the largest variance of a mean of values from 0 to 1."""
        p = min(max(abs(value), 0.0), 1.0)
        return p * (1 - p) / sum(counts)


class ValCcc(Metric):
    """The mean concordance correlation coefficient of the dimensions (``training.concordance``)."""

    key: ClassVar[str] = "ccc"
    heading, label, unit = "val CCC", "CCC", ""
    listed = of_dimensions = True

    def compute(self, scores: EpochScores) -> float:
        """Return the mean of the coefficients, which the scores hold.

        Raises:
            ValueError: no dimensions are predicted.
        """
        if not scores.concordance:
            raise ValueError("val_ccc: no dimensions are predicted: set training.task=dimensions")
        return statistics.fmean(scores.concordance.values())

    def text(self, value: float) -> str:
        """Write the coefficient as a number."""
        return self.difference(value)

    def difference(self, value: float, sign: str = "") -> str:
        """Write a difference as a number."""
        return f"{value:{sign}.3f}"

    def variance(self, value: float, counts: Sequence[int]) -> float:
        """Return the variance of a correlation near ``value`` of so many normal rows.

        As Fisher's z has it: Lin's coefficient varies about as Pearson's does.
        """
        return (1 - min(max(value, -0.99), 0.99) ** 2) ** 2 / max(sum(counts) - 3, 1)


class _OfOne(ValCcc):
    """The coefficient of one dimension."""

    dimension: ClassVar[str]

    def compute(self, scores: EpochScores) -> float:
        """Return the coefficient of the dimension.

        Raises:
            ValueError: it is not predicted.
        """
        if self.dimension not in scores.concordance:
            raise ValueError(f"val_ccc_{self.dimension}: {self.dimension} is not predicted")
        return scores.concordance[self.dimension]


class ValCccArousal(_OfOne):
    """How well arousal is predicted."""

    key, dimension = "ccc_arousal", "arousal"
    heading, label = "val CCC arousal", "CCC of arousal"


class ValCccValence(_OfOne):
    """How well valence is predicted."""

    key, dimension = "ccc_valence", "valence"
    heading, label = "val CCC valence", "CCC of valence"


class ValCccDominance(_OfOne):
    """How well dominance is predicted."""

    key, dimension = "ccc_dominance", "dominance"
    heading, label = "val CCC dominance", "CCC of dominance"


def confusion_metrics() -> dict[str, ConfusionMetric]:
    """Return the listed metrics that test rows are scored by, by their keys."""
    listed = [metric_of(name) for name in listed_metrics()]
    return {metric.key: metric for metric in listed if isinstance(metric, ConfusionMetric)}
