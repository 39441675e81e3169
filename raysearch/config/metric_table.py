"""The metrics that trials are compared by: what each is called, how it is written, which way is up.

To add one, write a subclass of ``Metric`` and give it a row in ``METRICS``; a metric of your own is
named ``package.module:Class`` and needs no row.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from raysearch.config.name_table import Table
from raysearch.errors import UnknownNameError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["METRICS", "EpochScores", "Metric", "listed_metrics", "metric_of"]

# In the order in which an epoch's metrics are recorded.
METRICS = Table(
    "metric",
    {
        "val_loss": "raysearch.training.validation_metrics:ValLoss",
        "val_uar": "raysearch.training.validation_metrics:ValUar",
        "val_wa": "raysearch.training.validation_metrics:ValWa",
        "val_macro_f1": "raysearch.training.validation_metrics:ValMacroF1",
        "val_uar_mean3": "raysearch.training.validation_metrics:ValUarMean3",
        "val_js": "raysearch.training.validation_metrics:ValJs",
        "val_ccc": "raysearch.training.validation_metrics:ValCcc",
        "val_ccc_arousal": "raysearch.training.validation_metrics:ValCccArousal",
        "val_ccc_valence": "raysearch.training.validation_metrics:ValCccValence",
        "val_ccc_dominance": "raysearch.training.validation_metrics:ValCccDominance",
    },
)


@dataclass(frozen=True, slots=True)
class EpochScores:
    """What a metric is computed from: one epoch's scores of all validation rows.

    Attributes:
        loss: mean log-loss of a row.
        confusion_KK: counts of rows, true classes as rows and predicted ones as columns.
        history: the metrics of the epochs before, oldest first.
        divergence: mean divergence of a row's probabilities from its votes; None without votes.
        concordance: of each dimension that is predicted in place of the emotion, the concordance
            correlation coefficient; the loss is then 1 less their mean, and ``confusion_KK`` empty.
    """

    loss: float
    confusion_KK: "NDArray[np.float64]"
    history: Sequence[Mapping[str, float]] = ()
    divergence: float | None = None
    concordance: Mapping[str, float] = field(default_factory=dict)


class Metric(ABC):
    """One metric of validation rows; the defaults are those of a share, written in percent."""

    heading: ClassVar[str]
    """As a column's heading: ``val UA``."""
    label: ClassVar[str]
    """Where it is clear what rows it is of: ``UA``."""
    lower_is_better: ClassVar[bool] = False
    """Which way is up; nothing else decides that."""
    ideal: ClassVar[float] = 1.0
    """The value that no model surpasses."""
    listed: ClassVar[bool] = False
    """Whether leaderboards and model cards show it whatever the objective is."""
    is_recall: ClassVar[bool] = False
    """Whether it is a mean of the classes' recalls."""
    of_votes: ClassVar[bool] = False
    """Whether it is of rows that several people voted on, and is left out where nobody did."""
    of_dimensions: ClassVar[bool] = False
    """Whether it is of the dimensions that are predicted where ``training.task`` says so."""
    dimension: ClassVar[str | None] = None
    """The one dimension that it is of, if it is of one alone."""
    unit: ClassVar[str] = " points"
    """What follows a difference in a sentence."""

    @abstractmethod
    def compute(self, scores: EpochScores) -> float:
        """Return the metric of one epoch: a number, whatever was predicted."""

    def is_known(self, dimensions: Collection[str]) -> bool:
        """Whether it can be computed where ``dimensions`` are predicted, or none are."""
        if not self.of_dimensions:
            return not dimensions
        return self.dimension in dimensions if self.dimension else bool(dimensions)

    def signed(self, value: float) -> float:
        """Return ``value`` so that higher is better; applied twice, as it was."""
        return -value if self.lower_is_better else value

    def text(self, value: float) -> str:
        """Write a value for a reader: ``71.3%``."""
        return f"{self.difference(value)}%"

    def difference(self, value: float, sign: str = "") -> str:
        """Write a difference or an error without its unit; ``sign`` is a format's: ``+``."""
        return f"{100 * value:{sign}.1f}"

    def variance(self, value: float, counts: Sequence[int]) -> float:
        """Return the variance of a value that is near ``value``, for independent rows.

        A recall is a binomial share, so a mean of K recalls near p has the variance
        p (1 - p) sum(1 / n_k) / K^2.

        Args:
            value: higher is better.
            counts: rows of each class that has some.
        """
        p = min(max(self.signed(value), 0.0), 1.0)
        return p * (1 - p) * sum(1 / number for number in counts) / len(counts) ** 2

    @property
    def in_words(self) -> str:
        """The heading as it stands in a sentence: ``validation UA``."""
        return re.sub(r"\bval\b", "validation", self.heading)


@cache
def metric_of(name: str) -> Metric:
    """Return the metric that ``name`` stands for: a name in the table, or ``module:Class``.

    Raises:
        UnknownNameError: there is none of that name, or it is no subclass of ``Metric``, or it is
            called nothing.
    """
    metric = METRICS.load(name)
    if not (isinstance(metric, type) and issubclass(metric, Metric)):
        raise UnknownNameError(f"metric {name!r} is not a subclass of raysearch's Metric")
    for word in ("heading", "label"):
        if not getattr(metric, word, ""):
            raise UnknownNameError(f"metric {name!r} has no {word}: write what tables call it")
    return metric()


@cache
def listed_metrics(*, dimensions: bool = False) -> tuple[str, ...]:
    """The names of the built-in metrics that leaderboards and model cards show.

    Args:
        dimensions: of a search that predicts them.
    """
    found = {name: metric_of(name) for name in METRICS.built_in}
    return tuple(n for n, one in found.items() if one.listed and one.of_dimensions == dimensions)
