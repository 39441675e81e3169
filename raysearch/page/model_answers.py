"""Single answers of the model that a person may look into: its worst mistakes, and a right one."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from raysearch.evaluation.probability_columns import by_utterance, known_emotions, probabilities
from raysearch.page.pictures import Picture

__all__ = ["Answer", "answers_of", "right_beside", "worst_mistakes"]

NUM_MISTAKES = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said of a test recording.

    Attributes:
        confidence: the mean probability of what was predicted, over all trainings.
        fold: whose model it was.
        audio: the recording as a ``data:`` address; None where it is not here or too long.
        picture: of the recording; None where it is not here.
    """

    utterance: str
    speaker: str
    emotion: str
    predicted: str
    confidence: float
    fold: int
    audio: str | None = None
    picture: Picture | None = None


def answers_of(table: pa.Table) -> list[Answer]:
    """One answer a recording, the surest first; all trainings' probabilities are meaned."""
    rows, mean_NK = by_utterance(table, probabilities(table))
    labels = known_emotions(table)
    columns = (rows[name].to_pylist() for name in ("utterance", "speaker", "emotion", "fold"))
    found = [
        Answer(utterance, speaker, emotion, labels[p_K.argmax()], round(float(p_K.max()), 3), fold)
        for utterance, speaker, emotion, fold, p_K in zip(*columns, mean_NK, strict=True)
    ]
    return sorted(found, key=lambda one: (-one.confidence, one.utterance))


def worst_mistakes(answers: Sequence[Answer]) -> list[Answer]:
    """Those that err with most confidence, the worst first."""
    return [one for one in answers if one.predicted != one.emotion][:NUM_MISTAKES]


def right_beside(answers: Sequence[Answer]) -> Answer | None:
    """The surest right answer, of the emotion that the worst mistake missed if there is one."""
    right = [one for one in answers if one.predicted == one.emotion]
    missed = {one.emotion for one in worst_mistakes(answers)[:1]}
    return next((one for one in right if one.emotion in missed), next(iter(right), None))
