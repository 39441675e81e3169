"""TESS: 2 women, 7 emotions, 200 words each (Pichora-Fuller and Dupuis 2020).

A name is speaker, word, emotion: ``OAF_back_fear.wav``; folders vary and mirrors nest a second
copy. ``ps`` is pleasant surprise. One published file, ``OA_bite_neutral.wav``, lost a letter.
"""

import re
from pathlib import Path

from raysearch.corpora.parser import Entry, NamedFilesParser, unknown_code
from raysearch.corpora.utterance import Dropped

__all__ = ["Tess"]

_EMOTIONS = {
    "angry": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "pleasant_surprise",
    "sad": "sad",
}
_SPEAKERS = {"OAF": "OAF", "YAF": "YAF", "OA": "OAF"}
_NAME = re.compile(r"(OAF|YAF|OA)_([a-z]+)_([a-z]+)", re.IGNORECASE)


class Tess(NamedFilesParser):
    """TESS, with any folders around its files."""

    name = "tess"
    expects = "TESS audio such as OAF_back_fear.wav"
    source = "the University of Toronto, doi:10.5683/SP2/E8H2MF (CC BY-NC-ND 4.0)"
    licence = "TESS: CC BY-NC-ND 4.0; for non-commercial use."
    original_rate = 24_414

    def entry(self, path: Path) -> Entry | Dropped:
        """The id is speaker, word and code, ``OAF_bite_neutral`` for the misnamed file, too."""
        match = _NAME.fullmatch(path.stem)
        if match is None:
            return Dropped(str(path), "not a TESS name")
        speaker, word, code = _SPEAKERS[match[1].upper()], match[2].lower(), match[3].lower()
        if code not in _EMOTIONS:
            return unknown_code(path, match[3])
        return Entry(
            path=path,
            id=f"{speaker}_{word}_{code}",
            speaker=speaker,
            emotion=_EMOTIONS[code],
            text=f"Say the word {word}",
            sex="female",
            language="english",
        )
