"""What the page says of the model: its figures on test rows, and where it is wrong."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.errors import UserError
from raysearch.evaluation.calibration import CalibrationBin, calibration_bins
from raysearch.evaluation.figures import EvaluationFigures, Mode, PartFigures
from raysearch.evaluation.final_model import FINAL
from raysearch.evaluation.scores import ua_by
from raysearch.evaluation.stored_evaluations import (
    evaluation_file,
    predictions_file,
    stored_evaluations,
)
from raysearch.evaluation.stored_noise import stored_noise
from raysearch.page.model_answers import Answer, answers_of, right_beside, worst_mistakes
from raysearch.run_folder import RunFolder

if TYPE_CHECKING:
    from raysearch.evaluation.experiment_figures import Ablations

__all__ = ["Evaluated", "ModelPart", "NoisePoint", "Variant", "files_of", "model_part"]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One kind of evaluation.

    Attributes:
        figures: as ``evaluation.json`` has them.
        calibration: what the model's confidence is worth; empty where predictions are gone.
        mistakes: the most confident ones first.
        right: a right answer to be seen beside them.
        per_corpus_ua: UA by corpus, where there are several.
    """

    figures: EvaluationFigures
    calibration: list[CalibrationBin]
    mistakes: list[Answer]
    right: Answer | None
    per_corpus_ua: dict[str, float]


@dataclass(frozen=True, slots=True)
class NoisePoint:
    """The figures under one kind of noise at one level; ``clean`` is without any."""

    kind: str
    level: str
    ua: float
    interval: list[float] | None


@dataclass(frozen=True, slots=True)
class Variant:
    """The winner without one of its parts, and what may be claimed of the difference."""

    name: str
    ua: float
    difference: float
    verdict: str


@dataclass(frozen=True, slots=True)
class ModelPart:
    """Everything that the page draws of the model.

    Attributes:
        made_of: the final model in a few words; None before it is made.
        evaluations: by kind, the most honest one first.
    """

    made_of: str | None
    reason: str
    evaluations: dict[Mode, Evaluated]
    noise: list[NoisePoint]
    ablations: list[Variant]
    parts: Mapping[str, PartFigures]


def files_of(run: RunFolder) -> list[Path]:
    """All files that ``model_part`` may read."""
    modes = get_args(Mode)
    names = (FINAL, "noise.json", "ablations.json")
    return [
        evaluation_file(run),
        *(predictions_file(run, mode) for mode in modes),
        *(run.root / name for name in names),
    ]


def model_part(run: RunFolder, made_of: str | None, reason: str) -> ModelPart:
    """Gather what evaluations of ``run`` have found.

    Raises:
        UserError: a file of figures is damaged.
    """
    stored = stored_evaluations(run)
    evaluations = {mode: _evaluated(run, mode, figures) for mode, figures in stored.items()}
    first = next(iter(stored.values()), None)
    return ModelPart(
        made_of=made_of,
        reason=reason,
        evaluations=evaluations,
        noise=_noise(run),
        ablations=_ablations(run.root / "ablations.json"),
        parts=first.get("parts", {}) if first else {},
    )


def _evaluated(run: RunFolder, mode: Mode, figures: EvaluationFigures) -> Evaluated:
    path = predictions_file(run, mode)
    if not path.is_file():
        return Evaluated(figures, [], [], None, {})
    try:
        table = pq.read_table(path)
        answers = answers_of(table)
        return Evaluated(
            figures,
            calibration_bins(table),
            worst_mistakes(answers),
            right_beside(answers),
            ua_by(table, figures["labels"], "corpus"),
        )
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({error}); evaluate anew") from None


def _noise(run: RunFolder) -> list[NoisePoint]:
    sweep = stored_noise(run)
    return [
        NoisePoint(level["kind"], level["level"], level["ua"]["mean"], level["ua"]["interval"])
        for level in (sweep["levels"] if sweep else [])
    ]


def _ablations(path: Path) -> list[Variant]:
    if not path.is_file():
        return []
    found = cast("Ablations", _read(path))
    return [
        Variant(
            name,
            one["figures"]["ua"]["mean"],
            one["comparison"]["difference"],
            one["comparison"]["verdict"],
        )
        for name, one in found["ablations"].items()
    ]


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); remove it and measure anew") from None
