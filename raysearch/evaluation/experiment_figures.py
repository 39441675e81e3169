"""The figures that experiments write as JSON, and read again: what each file holds, key by key.

An experiment is anything beside the evaluation of a run's final model: noise, ablations and sweeps
of its winner, a leak study, a paper made again. As in :mod:`raysearch.evaluation.figures`, keys
that an earlier version lacked are ``NotRequired``.
"""

from typing import NotRequired, TypedDict

from raysearch.evaluation.figures import ComparedFigures, Figures
from raysearch.evaluation.statistics import Verdict

__all__ = [
    "AblationFigures",
    "Ablations",
    "ArmFigures",
    "LeakStudy",
    "NoiseLevel",
    "NoiseSweep",
    "Printed",
    "ReproducedArm",
    "ReproducedStep",
    "Reproduction",
    "Sweep",
    "SweptPoint",
    "Winners",
    "own_values",
]


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


def own_values(found: Sweep) -> list[str]:
    """The winner's own value of each field, in few digits; several where folds differ."""
    return ["/".join(map(_short, values)) for values in found["own"].values()]


def _short(value: object) -> str:
    # A search draws values of many digits; those of a sweep are as somebody wrote them.
    return f"{value:.3g}" if isinstance(value, float) else str(value)
