"""What a model says of a posted recording, as the JSON that is sent back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from raysearch.features.audio import Waveform
from raysearch.inference.emotion_model import EmotionModel
from raysearch.inference.recognised import WINDOW_S
from raysearch.inference.recognition import timeline

__all__ = ["Answer", "Question", "WindowAnswer", "in_turn"]


class WindowAnswer(TypedDict):
    """One stretch of a recording, in seconds from its start."""

    start_s: float
    end_s: float
    label: str
    probabilities: dict[str, float]


class Answer(TypedDict):
    """A recording's emotion; ``timeline`` only if it was asked for."""

    label: str
    probabilities: dict[str, float]
    duration_s: float
    timeline: NotRequired[list[WindowAnswer]]


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked: a recording, and whether its windows are wanted as well."""

    waveform: Waveform
    timeline: bool = False


def in_turn(model: EmotionModel, questions: Sequence[Question]) -> list[Answer | Exception]:
    """The answer to each question, or why there is none.

    Each recording is scored alone, whatever else is asked at the time: matrix products of several
    recordings round otherwise. So an answer is what ``raysearch.load(...).predict`` says, to the
    bit, and its windows are those of ``raysearch predict --timeline``.
    """
    return [_alone(model, question) for question in questions]


def _alone(model: EmotionModel, question: Question) -> Answer | Exception:
    try:
        return _answer(model, question)
    except Exception as error:  # the others of a batch are answered all the same
        return error


def _answer(model: EmotionModel, question: Question) -> Answer:
    waveform = question.waveform
    (whole,) = model.predict_many([waveform])
    answer = Answer(
        label=whole.label,
        probabilities=dict(whole.probabilities),
        duration_s=waveform.duration_s,
    )
    if question.timeline:
        answer["timeline"] = [
            WindowAnswer(
                start_s=span.start_s,
                end_s=span.end_s,
                label=found.label,
                probabilities=dict(found.probabilities),
            )
            for span, found in timeline(model, waveform, WINDOW_S, WINDOW_S / 2)
        ]
    return answer
