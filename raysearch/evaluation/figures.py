"""The figures that evaluations write as JSON, and read again: what each file holds, key by key.

Each kind is written by one module and shown by one verb. They are dicts as they stand in the
files, so that what an earlier version wrote is read as it is: keys that it lacked are
``NotRequired``.
"""

from typing import Literal, NotRequired, TypedDict, cast

from raysearch.evaluation.statistics import Verdict

__all__ = [
    "EARLIER_METHOD",
    "AblationFigures",
    "Ablations",
    "ArmFigures",
    "Calibrated",
    "ComparedFigures",
    "Cost",
    "EvaluationFigures",
    "Figures",
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
    "Where",
    "mean_of_part",
    "method_of",
    "of_metric",
]

# Of the intervals of files without ``interval_method``: they were made before folds were counted.
EARLIER_METHOD = "an earlier version's bootstrap of speakers, too narrow: folds were not counted"
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


class EvaluationFigures(Figures, Calibrated):
    """One kind of evaluation, as ``evaluation.json`` holds it."""

    mode: Mode
    trial: str
    final: NotRequired[list[str]]
    cost: NotRequired[Cost]
    parts: NotRequired[dict[str, PartFigures]]


class NoiseLevel(Figures):
    """The figures under one kind of noise at one level, as tables say it; without any, ``clean``.

    Earlier versions wrote ``snr_db`` in place of both: they had white noise alone.
    """

    kind: str
    level: str
    num_unusable: int


class NoiseSweep(TypedDict):
    """``noise.json``: of one winner, the figures at each level, and why some are left out."""

    trial: str
    levels: list[NoiseLevel]
    left_out: NotRequired[dict[str, str]]


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


class AblationFigures(TypedDict):
    """The winner without one of its parts: what was changed, its figures, and the comparison."""

    changes: dict[str, object]
    figures: Figures
    comparison: ComparedFigures


class Ablations(TypedDict):
    """``ablations.json``: the winner, what it is without each part, and why some do not apply."""

    trial: str
    winner: Figures
    ablations: dict[str, AblationFigures]
    skipped: dict[str, str]


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


def of_metric(figures: Figures, key: str) -> MetricFigures:
    """The figures of the metric that the table of metrics calls ``key``."""
    return cast("MetricFigures", cast("dict[str, object]", figures)[key])


def method_of(figures: Figures) -> str | None:
    """How the figures' intervals were made, in one phrase; None where there is none."""
    if "interval_method" in figures:
        return figures["interval_method"]
    return EARLIER_METHOD if figures["ua"]["interval"] else None


def mean_of_part(part: PartFigures, key: str) -> float:
    """A part's mean of the metric that the table of metrics calls ``key``."""
    return cast("float", cast("dict[str, object]", part)[key])
