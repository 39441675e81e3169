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
    "AblationFigures",
    "Ablations",
    "ArmFigures",
    "ByColumn",
    "Calibrated",
    "ComparedFigures",
    "Cost",
    "EvaluationFigures",
    "Figures",
    "GroupDifference",
    "GroupFigures",
    "LeakStudy",
    "MetricFigures",
    "Mode",
    "NoiseLevel",
    "NoiseSweep",
    "PartFigures",
    "Printed",
    "ReproducedArm",
    "ReproducedStep",
    "Reproduction",
    "Sweep",
    "SweptPoint",
    "Where",
    "Winners",
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


class GroupDifference(TypedDict):
    """Two groups compared in UA, first minus second, over the emotions that both have."""

    first: str
    second: str
    num_speakers: int
    difference: float
    p: float | None
    p_holm: float | None
    interval: dict[str, float | str] | None
    verdict: Verdict
    method: str
    lack: str | None
    sentence: str


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


class ComparedFigures(TypedDict):
    """Two systems compared, as ``raysearch.evaluation.compare.Compared`` tells them."""

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
    per_speaker_ua_difference: dict[str, float]
    sentence: str


class Winners(TypedDict):
    """Of whom the figures of a file are, and on which outer folds; by both a question is known.

    ``trial`` won on the searched fold. ``winners`` are fold to the trial whose settings it has, and
    ``asked_folds`` the folds that were asked for, None where it was all; earlier versions, which
    had the searched fold alone, wrote neither.
    """

    trial: str
    winners: NotRequired[dict[str, str]]
    asked_folds: NotRequired[list[int] | None]


class NoiseLevel(Figures):
    """The figures under one kind of noise at one level, as tables say it; without any, ``clean``.

    They are compared with the clean ones, unless noise left other recordings unusable. Earlier
    versions compared nothing, and wrote ``snr_db`` in place of kind and level: they had white noise
    alone.
    """

    kind: str
    level: str
    num_unusable: int
    comparison: NotRequired[ComparedFigures | None]


class NoiseSweep(Winners):
    """``noise.json``: the figures at each level, and why some are left out."""

    levels: list[NoiseLevel]
    left_out: NotRequired[dict[str, str]]


class AblationFigures(TypedDict):
    """The winner without one of its parts: what was changed in each fold, figures, comparison."""

    changes: dict[str, dict[str, object]]
    figures: Figures
    comparison: ComparedFigures


class Ablations(Winners):
    """``ablations.json``: the winner, what it is without each part, and why some do not apply."""

    winner: Figures
    ablations: dict[str, AblationFigures]
    skipped: dict[str, str]


class SweptPoint(TypedDict):
    """One value, or pair of values, of a sweep; no comparison where it is the winner's own."""

    name: str
    values: dict[str, object]
    figures: Figures
    comparison: ComparedFigures | None


class Sweep(Winners):
    """``sweeps/FIELD.json``: the winner, and what it is with each value of the fields.

    ``own`` are the values that it has itself: one a field, or several where folds differ.
    """

    fields: list[str]
    own: dict[str, list[object]]
    winner: Figures
    points: list[SweptPoint]


class ArmFigures(Figures):
    """One arm of a leak study; an arm that leaks is scored on its augmented test rows, too."""

    augmented_test: NotRequired[Figures]


class LeakStudy(TypedDict):
    """``leak_study.json``; ``siblings`` and ``speakers`` are A - B and B - C in UA."""

    space: str
    corpus: str
    protocol: str
    folds: int
    seeds: int
    cells: list[str]
    num_train_rows: int
    epochs: int
    arms: dict[str, ArmFigures]
    siblings: float
    speakers: float
    compared: dict[str, ComparedFigures]


class ReproducedArm(Figures):
    """One arm of a reproduction; where copies were tested, their figures stand beside."""

    settings: str
    split: str
    epochs: str
    with_copies: NotRequired[Figures]


class ReproducedStep(TypedDict):
    """One step from the printed number to the winner's: its values are shares, first to last."""

    name: str
    before: float
    after: float
    difference: float
    interval: dict[str, float | str] | None
    p_holm: float | None
    verdict: Verdict
    why: str


class Printed(TypedDict):
    """A printed number, a share, and where it and its number of emotions are from."""

    metric: str
    value: float
    source: str | None
    num_classes: int
    classes_source: str | None
    protocol: str
    epochs: int | None


class Reproduction(TypedDict):
    """``reproduction.json``: what was printed, each arm, and the steps from one to the other."""

    system: str
    corpus: str
    paper: str
    asked: dict[str, object]
    metric: str
    printed: list[Printed]
    arms: dict[str, ReproducedArm]
    steps: list[ReproducedStep]
    notes: list[str]


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
