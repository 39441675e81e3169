"""EMO-DB, the Berlin database: 10 actors, 7 emotions, 10 sentences (Burkhardt et al. 2005).

A name is speaker, sentence, emotion, version: ``wav/03a01Wa.wav`` is speaker 03, sentence a01,
W for Wut (anger), version a. Letters may be in either case.
"""

import re
from pathlib import Path

from raysearch.corpora.parser import Entry, NamedFilesParser, unknown_code
from raysearch.corpora.utterance import Dropped

__all__ = ["EmoDb"]

_EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
_SEXES = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}
_SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
_NAME = re.compile(r"(\d\d)([ab]\d\d)([A-Z])([a-z])", re.IGNORECASE | re.ASCII)


class EmoDb(NamedFilesParser):
    """EMO-DB in its official layout, or its files in any folder."""

    name = "emodb"
    expects = "EMO-DB files such as wav/03a01Wa.wav"
    source = "Zenodo record 7447302 (CC0)"
    licence = "EMO-DB: CC0."
    original_rate = 16_000

    def entry(self, path: Path) -> Entry | Dropped:
        """The id is the name as published, ``03a01Wa``, the speaker its first two digits."""
        match = _NAME.fullmatch(path.stem)
        if match is None or match[1] not in _SEXES or match[2].lower() not in _SENTENCES:
            return Dropped(str(path), "not an EMO-DB name")
        speaker, sentence, code = match[1], match[2].lower(), match[3].upper()
        if code not in _EMOTIONS:
            return unknown_code(path, code)
        return Entry(
            path=path,
            id=f"{speaker}{sentence}{code}{match[4].lower()}",
            speaker=speaker,
            emotion=_EMOTIONS[code],
            text=_SENTENCES[sentence],
            sex=_SEXES[speaker],
            language="german",
        )
