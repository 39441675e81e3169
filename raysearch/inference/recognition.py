"""Many recordings through one model: groups that fit in memory, and what had to be skipped."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from raysearch.errors import UserError
from raysearch.features.audio import AudioError, Waveform, read_waveform
from raysearch.inference.emotion_model import EmotionModel
from raysearch.inference.recognised import Prediction
from raysearch.inference.recordings import Recording

__all__ = [
    "Features",
    "Scored",
    "Skipped",
    "Span",
    "read_recording",
    "score_recordings",
    "score_timelines",
    "timeline",
]

# Of features; what an evaluation scores at once is far less.
GROUP_BYTES = 512 << 20

OnRecording = Callable[[int], None]
# Every stream's (T, F) of a recording, by the names of ``EmotionModel.features``.
Features = dict[str, np.ndarray]


@dataclass(frozen=True)
class Span:
    """A stretch of a recording, in seconds from its start."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Scored:
    """What the model says of a recording, or of a stretch of it."""

    recording: Recording
    prediction: Prediction
    span: Span | None = None


@dataclass(frozen=True)
class Skipped:
    """A recording that could not be used, and why."""

    recording: Recording
    reason: str


def score_recordings(
    model: EmotionModel,
    recordings: Sequence[Recording],
    on_recording: OnRecording,
    features: Iterable[Features | AudioError] | None = None,
) -> Iterator[Scored | Skipped]:
    """Each recording's prediction, group by group; one group in all where speakers normalise.

    Args:
        model: the model.
        recordings: the files.
        on_recording: told how many have been read.
        features: each recording's, or why it cannot be used; None: they are computed here.

    Raises:
        UserError: the model needs to know who speaks, and a recording does not tell.
    """
    if model.by_speaker:
        check_speakers(model, recordings)
    group, rows, num_bytes = [], list[Features](), 0
    all_features = _features_here(model, recordings) if features is None else features
    pairs = zip(recordings, all_features, strict=True)
    for number, (recording, found) in enumerate(pairs, start=1):
        if isinstance(found, AudioError):
            yield Skipped(recording, found.reason)
        else:
            group.append(recording)
            rows.append(found)
            num_bytes += sum(values.nbytes for values in found.values())
        on_recording(number)
        if num_bytes > GROUP_BYTES and not model.by_speaker:
            yield from _score(model, group, rows)
            group, rows, num_bytes = [], [], 0
    yield from _score(model, group, rows)


def _features_here(
    model: EmotionModel, recordings: Sequence[Recording]
) -> Iterator[Features | AudioError]:
    for recording in recordings:
        try:
            yield model.features(read_recording(recording))
        except AudioError as error:
            yield error


def score_timelines(
    model: EmotionModel,
    recordings: Sequence[Recording],
    window_s: float,
    hop_s: float,
    on_recording: OnRecording,
) -> Iterator[Scored | Skipped]:
    """Each recording's predictions over time; every window counts as a recording of its own.

    Args:
        model: the model.
        recordings: the files.
        window_s: seconds a window; the last one ends with the recording.
        hop_s: seconds from one window's start to the next's.
        on_recording: told how many have been done.

    Raises:
        UserError: the model normalises by speaker.
    """
    model.check_speakers(None)
    for number, recording in enumerate(recordings, start=1):
        try:
            found = timeline(model, read_recording(recording), window_s, hop_s)
        except AudioError as error:
            yield Skipped(recording, error.reason)
        else:
            yield from (Scored(recording, prediction, span) for span, prediction in found)
        on_recording(number)


def timeline(
    model: EmotionModel, waveform: Waveform, window_s: float, hop_s: float
) -> list[tuple[Span, Prediction]]:
    """The prediction of each window of a recording, as ``windows`` cuts it.

    Raises:
        AudioError: a window that cannot be used.
        UserError: the model normalises by speaker.
    """
    spans = windows(waveform, window_s, hop_s)
    found = model.predict_many([piece for _, piece in spans])
    return [(span, prediction) for (span, _), prediction in zip(spans, found, strict=True)]


def windows(waveform: Waveform, window_s: float, hop_s: float) -> list[tuple[Span, Waveform]]:
    """Overlapping stretches of ``waveform``, the last of which ends with it."""
    rate, total = waveform.sample_rate, len(waveform.samples)
    size, hop = max(1, round(window_s * rate)), max(1, round(hop_s * rate))
    slack = max(total - size, 0)
    starts = [*range(0, slack, hop), slack]
    return [
        (
            Span(start / rate, min(start + size, total) / rate),
            Waveform(waveform.name, waveform.samples[start : start + size], rate),
        )
        for start in starts
    ]


def check_speakers(model: EmotionModel, recordings: Sequence[Recording]) -> None:
    """Refuse recordings of which one lacks the speaker that the model needs to know.

    Raises:
        UserError: the first of them is named.
    """
    untold = next((one for one in recordings if not one.speaker), None)
    if untold is not None:
        model.check_speakers(None)
        raise UserError(f"{untold.name}: its speaker is not told")


def read_recording(recording: Recording) -> Waveform:
    """Read it; raises AudioError if it is not there or cannot be used."""
    if recording.missing:
        raise AudioError(recording.name, recording.missing)
    return read_waveform(recording.path)


def _score(
    model: EmotionModel, group: Sequence[Recording], features: Sequence[Features]
) -> Iterator[Scored]:
    speakers = [recording.speaker for recording in group] if model.by_speaker else None
    predictions = model.predictions(model.probabilities(features, speakers)) if group else []
    pairs = zip(group, predictions, strict=True)
    yield from (Scored(recording, prediction) for recording, prediction in pairs)
