"""MSP-IMPROV: 6 sessions of two actors, 4 emotions (Busso et al. 2017).

A turn is ``session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav``: sentence 01 in a scenario for anger,
the woman of session 1, where it was said (R read alone, T in the improvised dialogue, S another
turn of that dialogue, P between the dialogues), and the turn's own code. Its label, the raters'
consensus, is a line ``UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:2.8; V:3.2; D:2.6 ; N:3.0;`` of
``Evalution.txt``, as the release spells it, with the means of activation, valence and dominance
(and of how natural it is, which is not read); the lines of single raters below it are passed over.
With ``corpus.rated`` turns of another emotion, or of no agreement, are kept, too.
Letters may be in either case.

Folds and validation hold out whole sessions: nobody's partner in a dialogue is on another side.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from raysearch.corpora.dimensions import known_ratings
from raysearch.corpora.parser import CorpusParser, Entry, walk_audio
from raysearch.corpora.turn_labels import TurnLabel, label_text, read_turn_labels
from raysearch.corpora.utterance import Dropped
from raysearch.errors import DataError, EmptyCorpusError

__all__ = ["MspImprov"]

_EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}
_OTHER_EMOTIONS = {"O": "another emotion", "X": "no agreement"}
_LABEL_FILES = ("evalution.txt", "evaluation.txt")
_TURN = re.compile(
    r"(?:MSP|UTD)-IMPROV-(S\d{2})([AHNS])-([FM])(0[1-6])-([PRST])-([FM]{2}\d{2,3})",
    re.IGNORECASE | re.ASCII,
)
_MAX_LABEL_BYTES = 1 << 26
_LINE = re.compile(r"(\S+)\.(?:avi|wav);\s*([A-Z])\s*;(.*)", re.IGNORECASE)
_RATING = re.compile(r"\b([AVD]):\s*([^;\s]+)", re.IGNORECASE)
_SCALES = {"A": "arousal", "V": "valence", "D": "dominance"}
_SENTENCE_IS_SAID = ("R", "T")


class MspImprov(CorpusParser):
    """The four classes of MSP-IMPROV, by the raters' consensus."""

    name = "msp_improv"
    expects = (
        "MSP-IMPROV's Evalution.txt and turns such as"
        " session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav"
    )
    source = (
        "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html"
        " (for research, by signed agreement)"
    )
    licence = "MSP-IMPROV: for research, by signed agreement."
    fixed_ids = True
    heeds = ("rated",)

    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """Labelled turns below ``root``; the id is the turn's name.

        Raises:
            DataError: a line of the label file is unknown or contradicts another.
            EmptyCorpusError: no label file at all.
        """
        files = list(_label_files(root))
        if not files:
            raise EmptyCorpusError(f"{root}: no Evalution.txt; expected {self.expects}")
        labels = read_turn_labels(files, _lines, {*_EMOTIONS, *_OTHER_EMOTIONS})
        emotions = {**_EMOTIONS, **_OTHER_EMOTIONS} if self.options.rated else _EMOTIONS
        used = {str(path) for path in files}
        turns = set()
        for found in walk_audio(root):
            if not isinstance(found, Dropped):
                turns.add(_turn_name(found.stem))
                yield _labelled(found, labels, emotions)
            elif found.path not in used:
                yield found
        for turn in sorted(labels.keys() - turns):
            yield Dropped(labels[turn].place, f"a label without its WAV file: {turn}")

    def recognises(self, path: Path) -> bool:
        """Whether the name of ``path`` is that of a turn."""
        return _TURN.fullmatch(path.stem) is not None

    def labels_of_name(self, path: Path) -> Entry | None:
        """What a turn's name says; its letter of an emotion is what was asked for, not heard."""
        return _turn_entry(path, "")


def _turn_entry(path: Path, emotion: str) -> Entry | None:
    match = _TURN.fullmatch(path.stem)
    if match is None:
        return None
    sentence, meant, sex, session, scene, _ = (part.upper() for part in match.groups())
    return Entry(
        path=path,
        id=_turn_name(path.stem),
        speaker=f"{sex}{session}",
        emotion=emotion,
        # Turns around the sentence belong to the scenario of one emotion.
        text=sentence if scene in _SENTENCE_IS_SAID else f"{sentence}{meant}",
        session=f"session{int(session)}",
        sex="female" if sex == "F" else "male",
        language="english",
    )


def _turn_name(name: str) -> str:
    """A turn's name as its audio was published: labels name its video."""
    return f"MSP{name[3:]}".upper() if _TURN.fullmatch(name) else name


def _labelled(
    path: Path, labels: Mapping[str, TurnLabel], emotions: Mapping[str, str]
) -> Entry | Dropped:
    if _TURN.fullmatch(path.stem) is None:
        return Dropped(str(path), "not an MSP-IMPROV name")
    turn = _turn_name(path.stem)
    if turn not in labels:
        return Dropped(str(path), "a turn without a label in Evalution.txt")
    letter = labels[turn].label
    entry = _turn_entry(path, emotions.get(letter, ""))
    if entry is None or not entry.emotion:
        return Dropped(str(path), f"label {letter!r} is none of the four classes")
    return replace(entry, ratings=labels[turn].ratings)


def _label_files(root: Path) -> Iterator[Path]:
    for folder, subfolders, files in os.walk(root):
        subfolders.sort()
        for file in sorted(files):
            path = Path(folder, file)
            if file.lower() in _LABEL_FILES and not path.is_symlink():
                yield path


def _lines(path: Path) -> Iterator[tuple[str, TurnLabel]]:
    """The turn of every consensus line, and its label; a rater's line begins with the rater."""
    for number, line in enumerate(label_text(path, _MAX_LABEL_BYTES).splitlines(), start=1):
        match = _LINE.fullmatch(line.strip())
        if match and _TURN.fullmatch(match[1]):
            written = {_SCALES[key.upper()]: text for key, text in _RATING.findall(match[3])}
            said = TurnLabel(f"{path}: line {number}", match[2].upper(), known_ratings(written))
            yield _turn_name(match[1]), said
        elif line.upper().startswith("UTD-IMPROV-"):
            raise DataError(
                f"{path}: line {number}: expected a turn's video, its label and its ratings,"
                " with semicolons between"
            )
