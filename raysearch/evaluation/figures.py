"""The figures that evaluations write as JSON, and read again: what each file holds, key by key.

Each kind is written by one module and shown by one verb. They are dicts as they stand in the
files, so that what an earlier version wrote is read as it is: keys that it lacked are
``NotRequired``.
"""

from collections.abc import Iterable
from typing import Literal, NotRequired, TypedDict, cast

from raysearch.evaluation.statistics import Verdict

__all__ = [
    "EARLIER_METHOD",
    "ByColumn",
    "Calibrated",
    "ComparedFigures",
    "Cost",
    "Difference",
    "EvaluationFigures",
    "Figures",
    "GroupDifference",
    "GroupFigures",
    "MetricFigures",
    "Mode",
    "PartFigures",
    "Where",
    "folds_shown",
    "mean_of_part",
    "method_of",
    "most_telling",
    "of_metric",
]

# Of the intervals of files without ``interval_method``: they were made before folds were counted.
EARLIER_METHOD = "an earlier version's bootstrap of speakers, too narrow: folds were not counted"
# Many groups make many more pairs of groups; the file has all of them.
NUM_TOLD = 10
Mode = Literal["fold", "nested", "reuse-settings", "paper"]


class MetricFigures(TypedDict):
    """One metric: its mean over the seeds, each seed's value, and a 95% interval or None."""

    mean: float
    per_seed: list[float]
    interval: list[float] | None


class Where(TypedDict, total=False):
    """On which folds a score was made, and whether it may be believed."""

    fold: int
    nested: int
    folds: int
    valid: bool
    transductive: bool


class Figures(Where):
    """What ``raysearch.evaluation.scores.score`` finds in predictions.

    Each metric of the table of metrics stands under its own key; ``of_metric`` reads one that is
    not named here.
    """

    protocol: str
    num_speakers: int
    ua: MetricFigures
    wa: MetricFigures
    macro_f1: MetricFigures
    interval_method: NotRequired[str | None]
    confusion: list[list[int]]
    labels: list[str]
    per_class_recall: dict[str, float | None]
    per_speaker_ua: dict[str, float]
    per_sex_ua: dict[str, float]
    per_fold_ua: dict[str, float]
    ece: float
    js: NotRequired[MetricFigures]
    by: NotRequired["dict[str, ByColumn]"]
    notes: list[str]


class Cost(TypedDict):
    """What using a model takes."""

    nets: int
    mebibytes: float
    ms_per_utterance: float


class PartFigures(TypedDict):
    """Means of each metric, and UA by fold, of what a final model is compared with."""

    ua: float
    wa: float
    macro_f1: float
    per_fold_ua: dict[str, float]
    gain_by_fold: NotRequired[dict[str, float]]


class Calibrated(TypedDict, total=False):
    """The temperatures of the folds' models, from inner validation, and the error with them."""

    temperatures: list[float]
    ece_at_temperature: float


class GroupFigures(TypedDict):
    """The test rows that have one value of a column; emotions that they lack are named."""

    num_speakers: int
    num_utterances: int
    ua: MetricFigures
    wa: MetricFigures
    macro_f1: MetricFigures
    lacking: list[str]


class Difference(TypedDict):
    """First minus second, and what may be said of it; older files tell neither method nor lack."""

    first: str
    second: str
    num_speakers: int
    difference: float
    p: float | None
    p_holm: float | None
    interval: dict[str, float | str] | None
    verdict: Verdict
    method: NotRequired[str]
    lack: NotRequired[str | None]
    sentence: str


class GroupDifference(Difference):
    """Two groups compared in UA, over the emotions that both have."""


class ByColumn(TypedDict):
    """Test rows by a column's values, and how these differ; some have none and are left out."""

    groups: dict[str, GroupFigures]
    differences: list[GroupDifference]
    num_left_out: int
    notes: list[str]


class EvaluationFigures(Figures, Calibrated):
    """One kind of evaluation, as ``evaluation.json`` holds it."""

    mode: Mode
    trial: str
    final: NotRequired[list[str]]
    cost: NotRequired[Cost]
    parts: NotRequired[dict[str, PartFigures]]


class ComparedFigures(Difference):
    """Two systems compared, as ``raysearch.evaluation.compare.Compared`` tells them."""

    per_speaker_ua_difference: dict[str, float]


def folds_shown(folds: Iterable[int | str]) -> str:
    """Folds in words: ``fold 0``, ``folds 0 to 4`` or ``folds 0, 2``."""
    numbers = sorted(map(int, folds))
    if len(numbers) == 1:
        return f"fold {numbers[0]}"
    if numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"folds {numbers[0]} to {numbers[-1]}"
    return f"folds {', '.join(map(str, numbers))}"


def of_metric(figures: Figures | GroupFigures, key: str) -> MetricFigures:
    """The figures of the metric that the table of metrics calls ``key``."""
    return cast("MetricFigures", cast("dict[str, object]", figures)[key])


def method_of(figures: Figures) -> str | None:
    """How the figures' intervals were made, in one phrase; None where there is none."""
    if "interval_method" in figures:
        return figures["interval_method"]
    return EARLIER_METHOD if figures["ua"]["interval"] else None


def most_telling(found: ByColumn) -> list[GroupDifference]:
    """The ``NUM_TOLD`` differences that say most: by p, then by size."""

    def order(one: GroupDifference) -> tuple[float, float]:
        return 2.0 if one["p"] is None else one["p"], -abs(one["difference"])

    return sorted(found["differences"], key=order)[:NUM_TOLD]


def mean_of_part(part: PartFigures, key: str) -> float:
    """A part's mean of the metric that the table of metrics calls ``key``."""
    return cast("float", cast("dict[str, object]", part)[key])
