"""Recordings inside the page: answers can be heard and seen where their audio is at hand."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import soundfile

from raysearch.features.audio import AudioError, Waveform, read_waveform
from raysearch.inference.emotion_model import EmotionModel
from raysearch.page.model_answers import Answer
from raysearch.page.pictures import picture_of

__all__ = ["ModelOf", "with_recordings"]

# The model that answered in a fold; None where it is not at hand.
ModelOf = Callable[[int], EmotionModel | None]

RATE = 16_000
# Ten clips of speech are about 150 kB; a page is to be sent by mail.
MAX_SECONDS = 15.0
MAX_BYTES = 300_000


def with_recordings(
    answers: Sequence[Answer], paths: Mapping[str, Path], model_of: ModelOf
) -> list[Answer]:
    """Return the answers with their recordings, drawn and as Ogg Vorbis while there is room.

    Args:
        answers: the most important first.
        paths: where an utterance's recording is, or was.
        model_of: whose attention is drawn.
    """
    left, found = MAX_BYTES, list[Answer]()
    for one in answers:
        waveform = _read(paths.get(one.utterance))
        if waveform is None:
            found.append(one)
            continue
        picture = picture_of(waveform, model_of(one.fold))
        clip = _clip(waveform)
        audio = f"data:audio/ogg;base64,{clip}" if picture.num_bytes + len(clip) <= left else None
        left -= picture.num_bytes + len(audio or "")
        found.append(replace(one, audio=audio, picture=picture))
    return found


def _read(path: Path | None) -> Waveform | None:
    """The recording; None if it is not here, unreadable or long."""
    if path is None or not path.is_file():
        return None
    try:
        waveform = read_waveform(path)
    except AudioError:
        return None
    return waveform if waveform.duration_s <= MAX_SECONDS else None


def _clip(waveform: Waveform) -> str:
    """The recording in base64."""
    file = io.BytesIO()
    soundfile.write(file, waveform.at(RATE), RATE, format="OGG", subtype="VORBIS")
    return base64.b64encode(file.getvalue()).decode("ascii")
