"""SAVEE: 4 English men, 7 emotions, 480 sentences (Haq and Jackson 2009).

A name is emotion and sentence number, in the speaker's folder (``AudioData/DC/sa01.wav``) or, in
mirrors, after the speaker (``DC_sa01.wav``). Some sentences recur under several emotions, and the
names do not say which: the text is the name's own code, so a text overlap may go unseen. Letters
may be in either case.
"""

import re
from pathlib import Path

from raysearch.corpora.parser import Entry, NamedFilesParser, unknown_code
from raysearch.corpora.utterance import Dropped

__all__ = ["Savee"]

_EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
_SPEAKERS = ("DC", "JE", "JK", "KL")
_NAME = re.compile(r"(?:(DC|JE|JK|KL)_)?([a-z]{1,2})(\d\d)", re.IGNORECASE | re.ASCII)


class Savee(NamedFilesParser):
    """SAVEE in its official layout, or flat as its mirrors have it."""

    name = "savee"
    expects = "SAVEE audio such as AudioData/DC/sa01.wav or DC_sa01.wav"
    source = (
        "the University of Surrey, http://kahlan.eps.surrey.ac.uk/savee"
        " (free for research, after registration)"
    )
    licence = "SAVEE: for research, by registration."
    original_rate = 44_100

    def entry(self, path: Path) -> Entry | Dropped:
        """The id is speaker and code, ``DC_sa01``, in both layouts."""
        match = _NAME.fullmatch(path.stem)
        if match is None:
            return Dropped(str(path), "not a SAVEE name")
        prefix, code, number = match[1], match[2].lower(), match[3]
        speaker = (prefix or path.parent.name).upper()
        if speaker not in _SPEAKERS:
            return Dropped(str(path), "a SAVEE name without its speaker's folder or prefix")
        if code not in _EMOTIONS:
            return unknown_code(path, code)
        return Entry(
            path=path,
            id=f"{speaker}_{code}{number}",
            speaker=speaker,
            emotion=_EMOTIONS[code],
            text=f"{code}{number}",
            sex="male",
            language="english",
        )
