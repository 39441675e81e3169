"""EMOVO: 6 Italian actors, 7 emotions, 14 sentences (Costantini et al. 2014).

A name is emotion, speaker, sentence: ``f2/gio-f2-b2.wav`` is gioia (joy) by the second woman. The
sentences are named by their codes: b brief, l long, n nonsense, d question.
"""

import re
from pathlib import Path

from raysearch.corpora.parser import Entry, NamedFilesParser, unknown_code
from raysearch.corpora.utterance import Dropped

__all__ = ["Emovo"]

_EMOTIONS = {
    "dis": "disgust",
    "gio": "joy",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}
_NAME = re.compile(r"([a-z]{3})-([fm][123])-([bdln]\d)", re.IGNORECASE)


class Emovo(NamedFilesParser):
    """EMOVO in its official layout, or its files in any folder."""

    name = "emovo"
    expects = "EMOVO audio such as f2/gio-f2-b2.wav"
    source = (
        "Fondazione Ugo Bordoni, http://voice.fub.it/activities/corpora/emovo"
        " (for research, by signed request)"
    )
    licence = "EMOVO: for research, by signed request."
    original_rate = 48_000

    def entry(self, path: Path) -> Entry | Dropped:
        """The id is the file's stem in lower case, the speaker ``f1`` to ``m3``."""
        match = _NAME.fullmatch(path.stem)
        if match is None:
            return Dropped(str(path), "not an EMOVO name")
        code, speaker, sentence = (part.lower() for part in match.groups())
        if code not in _EMOTIONS:
            return unknown_code(path, code)
        return Entry(
            path=path,
            id=path.stem.lower(),
            speaker=speaker,
            emotion=_EMOTIONS[code],
            text=sentence,
            sex="female" if speaker[0] == "f" else "male",
            language="italian",
        )
