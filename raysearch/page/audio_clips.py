"""Recordings inside the page: the worst mistakes can be heard where their audio is at hand."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import soundfile

from raysearch.features.audio import AudioError, read_waveform
from raysearch.page.model_part import Mistake

__all__ = ["with_audio"]

RATE = 16_000
# Ten clips of speech are about 150 kB; a page is to be sent by mail.
MAX_SECONDS = 15.0
MAX_BYTES = 300_000


def with_audio(mistakes: Sequence[Mistake], paths: Mapping[str, Path]) -> list[Mistake]:
    """Return the mistakes with their recordings as Ogg Vorbis, as long as there is room.

    Args:
        mistakes: the worst first.
        paths: where an utterance's recording is, or was.
    """
    left, found = MAX_BYTES, list[Mistake]()
    for one in mistakes:
        clip = _clip(paths.get(one.utterance))
        if clip is None or len(clip) > left:
            found.append(one)
            continue
        left -= len(clip)
        found.append(replace(one, audio=f"data:audio/ogg;base64,{clip}"))
    return found


def _clip(path: Path | None) -> str | None:
    """The recording in base64; None where it is not here, unreadable or long."""
    if path is None or not path.is_file():
        return None
    try:
        waveform = read_waveform(path)
    except AudioError:
        return None
    if len(waveform.samples) > MAX_SECONDS * waveform.sample_rate:
        return None
    file = io.BytesIO()
    soundfile.write(file, waveform.at(RATE), RATE, format="OGG", subtype="VORBIS")
    return base64.b64encode(file.getvalue()).decode("ascii")
