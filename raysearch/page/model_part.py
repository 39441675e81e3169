"""What the page says of the model: its figures on test rows, and where it is wrong."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.errors import UserError
from raysearch.evaluation.calibration import CalibrationBin, calibration_bins
from raysearch.evaluation.figures import (
    Ablations,
    EvaluationFigures,
    Mode,
    PartFigures,
)
from raysearch.evaluation.probability_columns import known_emotions, probabilities
from raysearch.evaluation.scores import ua_by
from raysearch.evaluation.stored_evaluations import predictions_file, stored_evaluations
from raysearch.evaluation.stored_noise import stored_noise
from raysearch.run_folder import RunFolder

__all__ = ["Evaluated", "Mistake", "ModelPart", "NoisePoint", "Variant", "model_part"]

NUM_MISTAKES = 10


@dataclass(frozen=True, slots=True)
class Mistake:
    """A test recording that was taken for another emotion with much confidence.

    Attributes:
        confidence: the mean probability of what was predicted, over all trainings.
        audio: the recording as a ``data:`` address; None where it is not here or too long.
    """

    utterance: str
    speaker: str
    emotion: str
    predicted: str
    confidence: float
    audio: str | None = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One kind of evaluation.

    Attributes:
        figures: as ``evaluation.json`` has them.
        calibration: what the model's confidence is worth; empty where predictions are gone.
        mistakes: the most confident ones first.
        per_corpus_ua: UA by corpus, where there are several.
    """

    figures: EvaluationFigures
    calibration: list[CalibrationBin]
    mistakes: list[Mistake]
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
        return Evaluated(figures, [], [], {})
    try:
        table = pq.read_table(path)
        by_corpus = ua_by(table, figures["labels"], "corpus")
        return Evaluated(figures, calibration_bins(table), _mistakes(table), by_corpus)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({error}); evaluate anew") from None


def _mistakes(table: pa.Table) -> list[Mistake]:
    """The recordings whose mean probability over all trainings errs most, one a recording."""
    keys = list(zip(table["fold"].to_pylist(), table["utterance"].to_pylist(), strict=True))
    number: dict[tuple[int, str], int] = {}
    group_R = np.array([number.setdefault(key, len(number)) for key in keys])
    sums_NK = np.zeros((len(number), len(known_emotions(table))))
    np.add.at(sums_NK, group_R, probabilities(table))
    probs_NK = sums_NK / np.bincount(group_R)[:, None]
    rows = table.take(np.unique(group_R, return_index=True)[1])
    labels = known_emotions(table)
    found = [
        Mistake(utterance, speaker, emotion, labels[p_K.argmax()], round(float(p_K.max()), 3))
        for utterance, speaker, emotion, p_K in zip(
            rows["utterance"].to_pylist(),
            rows["speaker"].to_pylist(),
            rows["emotion"].to_pylist(),
            probs_NK,
            strict=True,
        )
    ]
    wrong = [one for one in found if one.predicted != one.emotion]
    return sorted(wrong, key=lambda one: (-one.confidence, one.utterance))[:NUM_MISTAKES]


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
