"""CREMA-D: 91 actors, 6 emotions, 12 sentences (Cao et al. 2014).

A name is actor, sentence, emotion, level: ``AudioWAV/1001_DFA_ANG_XX.wav``. The labels are the
intended emotions. Levels are LO, MD, HI and XX, but one published file ends in ``X``: any is read.
Letters may be in either case.

With ``corpus.perceived`` the label is what most listeners to the voice alone heard, of
``processedResults/tabulatedVotes.csv``: a row a clip and way of presentation, whose number begins
with 1 for the voice, 2 for the face and 3 for both. Clips whose most votes are tied are dropped.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from raysearch.corpora.outside_tables import check_size, read_table
from raysearch.corpora.parser import Entry, NamedFilesParser, unknown_code
from raysearch.corpora.utterance import Dropped, Votes
from raysearch.corpora.votes import labelled, read_votes
from raysearch.errors import ConfigError

__all__ = ["CremaD"]

_EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
_SENTENCES = {
    "DFA": "Don't forget a jacket",
    "IEO": "It's eleven o'clock",
    "IOM": "I'm on my way to the meeting",
    "ITH": "I think I have a doctor's appointment",
    "ITS": "I think I've seen this before",
    "IWL": "I would like a new alarm clock",
    "IWW": "I wonder what this is about",
    "MTI": "Maybe tomorrow it will be cold",
    "TAI": "The airplane is almost full",
    "TIE": "That is exactly what happened",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
_FIRST_ACTOR, _LAST_ACTOR = 1001, 1091
# Sex as in the corpus' VideoDemographics.csv: 43 women, 48 men.
_WOMEN = (
    "1002 1003 1004 1006 1007 1008 1009 1010 1012 1013 1018 1020 1021 1024 1025 1028 1029 1030 "
    "1037 1043 1046 1047 1049 1052 1053 1054 1055 1056 1058 1060 1061 1063 1072 1073 1074 1075 "
    "1076 1078 1079 1082 1084 1089 1091"
)
_VOTES = "tabulatedVotes.csv"
_LETTERS = {code[0]: emotion for code, emotion in _EMOTIONS.items()}
_VOICE = "1"
_NAME = re.compile(r"(1\d{3})_([A-Z]{3})_([A-Z]{3})_([A-Z0-9]+)", re.ASCII)


class CremaD(NamedFilesParser):
    """CREMA-D's ``AudioWAV``, or its files in any folder."""

    name = "crema_d"
    expects = "CREMA-D audio such as AudioWAV/1001_DFA_ANG_XX.wav"
    source = "https://github.com/CheyneyComputerScience/CREMA-D (ODbL 1.0)"
    licence = "CREMA-D: Open Database License."
    original_rate = 16_000
    heeds = ("perceived",)

    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """Every file below ``root``; with what listeners heard in place of the emotion, if asked.

        Raises:
            ConfigError: the table of votes is not there, or wrong; the message names its line.
        """
        if not self.options.perceived:
            yield from super().find(root)
            return
        votes = _voice_votes(_votes_file(root))
        for found in super().find(root):
            if isinstance(found, Entry):
                yield labelled(replace(found, emotion="", votes=votes.get(found.id, ())))
            else:
                yield found

    def entry(self, path: Path) -> Entry | Dropped:
        """The id is the file's stem in capitals, the speaker ``"1001"`` to ``"1091"``."""
        name = path.stem.upper()
        match = _NAME.fullmatch(name)
        if match is None or not _FIRST_ACTOR <= int(match[1]) <= _LAST_ACTOR:
            return Dropped(str(path), "not a CREMA-D name")
        speaker, sentence, code, _ = match.groups()
        if code not in _EMOTIONS:
            return unknown_code(path, code)
        return Entry(
            path=path,
            id=name,
            speaker=speaker,
            emotion=_EMOTIONS[code],
            text=_SENTENCES.get(sentence, sentence),
            sex="female" if speaker in _WOMEN.split() else "male",
            language="english",
        )


def _votes_file(root: Path) -> Path:
    """The table of votes: in the corpus' folder, or beside its folder of audio."""
    folders = (root, root.parent) if root.name.lower() == "audiowav" else (root,)
    places = [folder / below for folder in folders for below in ("processedResults", "")]
    found = next((place / _VOTES for place in places if (place / _VOTES).is_file()), None)
    if found is None:
        raise ConfigError(
            f"corpus.perceived: {root} has no processedResults/{_VOTES}: get it from"
            f" {CremaD.source}"
        )
    return found


def _voice_votes(path: Path) -> dict[str, Votes]:
    """Clip to the votes of those who heard the voice alone."""
    check_size(path)
    votes: dict[str, Votes] = {}
    for row in read_table(path, ("fileName", ""), numbers=tuple(_LETTERS)):
        if row.cells[""].startswith(_VOICE):
            named = ((_LETTERS[letter], n) for letter, n in read_votes(row, tuple(_LETTERS)))
            votes[row.cells["fileName"].upper()] = tuple(sorted(named))
    return votes
