"""RAVDESS: 24 actors, 8 emotions, 2 statements (Livingstone and Russo 2018).

A name is modality-channel-emotion-intensity-statement-repetition-actor:
``Actor_18/03-01-05-01-02-01-18.wav``. Only audio-only speech is used (modality 03, channel 01).
"""

import re
from pathlib import Path
from typing import ClassVar

from raysearch.corpora.parser import Entry, NamedFilesParser, unknown_code
from raysearch.corpora.utterance import Dropped

__all__ = ["EMOTIONS", "STATEMENTS", "Ravdess"]

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
STATEMENTS = {
    "01": "Kids are talking by the door",
    "02": "Dogs are sitting by the door",
}
_NAME = re.compile(r"(0[1-3])-(0[12])-(\d\d)-0[12]-(0[12])-0[12]-(0[1-9]|1\d|2[0-4])")


class Ravdess(NamedFilesParser):
    """RAVDESS and its mirrors, whose second copies and stray files are dropped."""

    name = "ravdess"
    expects = "RAVDESS speech such as Actor_18/03-01-05-01-02-01-18.wav"
    source = "Zenodo record 1188976 (Audio_Speech_Actors_01-24.zip, CC BY-NC-SA 4.0)"
    licence = "RAVDESS: CC BY-NC-SA 4.0; models trained on it are for non-commercial use."
    original_rate: ClassVar[int | None] = 48_000

    def entry(self, path: Path) -> Entry | Dropped:
        """The id is the file's stem, the speaker ``"01"`` to ``"24"``; songs and videos drop."""
        match = _NAME.fullmatch(path.stem)
        if match is None:
            return Dropped(str(path), "not a RAVDESS name")
        modality, channel, emotion, statement, actor = match.groups()
        if channel != "01":
            return Dropped(str(path), "song, not speech")
        if modality != "03":
            return Dropped(str(path), "sound of a video, not audio-only")
        if emotion not in EMOTIONS:
            return unknown_code(path, emotion)
        return Entry(
            path=path,
            id=path.stem,
            speaker=actor,
            emotion=EMOTIONS[emotion],
            text=STATEMENTS[statement],
            sex="male" if int(actor) % 2 else "female",
            language="english",
        )
