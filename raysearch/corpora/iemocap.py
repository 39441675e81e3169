"""IEMOCAP: 5 sessions of two actors, scripted and improvised dialogues (Busso et al. 2008).

A turn is ``Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_F000.wav``. Its label is a line
``[start - end] turn label [V, A, D]`` of ``Session1/dialog/EmoEvaluation/Ses01F_impro04.txt``, with
the raters' mean valence, arousal (activation) and dominance, from 1 to 5. The speaker is the
session and the letter of the turn's suffix (``Ses01_F``): the letter before the dialogue's name
only says who wore the markers. Four classes, as the field reports them: neutral, happy (with
excited), sad, angry; with ``corpus.rated`` turns of all others are kept, too. The text is the
dialogue's code, ``impro04`` or ``script01_1``. Letters of names may be in either case.
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

__all__ = ["Iemocap", "turn_entry"]

_EMOTIONS = {"neu": "neutral", "hap": "happy", "exc": "happy", "sad": "sad", "ang": "angry"}
_OTHER_EMOTIONS = {
    "fru": "frustrated",
    "fea": "fear",
    "sur": "surprised",
    "dis": "disgust",
    "oth": "another emotion",
    "xxx": "no agreement",
}
_LABEL_FOLDER = "EmoEvaluation"
_SCRIPTED = "a scripted turn, and corpus.improvised asks for improvised ones"
_TURN = re.compile(
    r"Ses(0[1-5])([FM])_((?:impro|script)\w+)_([FM])(\d{3}|XX\d+)", re.IGNORECASE | re.ASCII
)
_DIALOGUE = re.compile(r"Ses0[1-5][FM]_(?:impro|script)\w+", re.IGNORECASE)
_MAX_LABEL_BYTES = 1 << 22
_SCALES = ("valence", "arousal", "dominance")
_LINE = re.compile(r"\[[\d.]+ - [\d.]+\]\t(\w+)\t(\w+)\t\[(.*)\]")


class Iemocap(CorpusParser):
    """The four classes of IEMOCAP's full release."""

    name = "iemocap"
    expects = (
        "IEMOCAP_full_release: Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_F000.wav"
        " and Session1/dialog/EmoEvaluation/Ses01F_impro04.txt"
    )
    source = "https://sail.usc.edu/iemocap (for research, by signed request)"
    licence = "IEMOCAP: for research, by signed request."
    fixed_ids = True
    original_rate = 16_000
    heeds = ("improvised", "rated")

    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """Labelled turns below ``root``, or those asked for; the id is the turn's name.

        Raises:
            DataError: a label file's line is damaged, unknown or contradicts another.
            EmptyCorpusError: no label file at all.
        """
        files = list(_label_files(root))
        labels = read_turn_labels(files, _lines, {*_EMOTIONS, *_OTHER_EMOTIONS})
        emotions = {**_EMOTIONS, **_OTHER_EMOTIONS} if self.options.rated else _EMOTIONS
        used = {str(path) for path in files}
        turns = set()
        for found in walk_audio(root):
            if not isinstance(found, Dropped):
                turns.add(_turn_name(found.stem))
                labelled = _labelled(found, labels, emotions)
                unwanted = self.options.improvised and _is_scripted(labelled)
                yield Dropped(str(found), _SCRIPTED) if unwanted else labelled
            elif found.path not in used:
                yield found
        if not files:
            raise EmptyCorpusError(
                f"{root}: no label file such as Session1/dialog/{_LABEL_FOLDER}/Ses01F_impro04.txt"
            )
        for turn in sorted(labels.keys() - turns):
            yield Dropped(labels[turn].place, f"a label without its WAV file: {turn}")

    def recognises(self, path: Path) -> bool:
        """Whether the name of ``path`` is that of a turn."""
        return _TURN.fullmatch(path.stem) is not None

    def labels_of_name(self, path: Path) -> Entry | None:
        """What a turn's name says; the speaker is the letter before the turn's number."""
        return turn_entry(path, "")


def turn_entry(path: Path, emotion: str) -> Entry | None:
    """What a turn's name says of it, with ``emotion``; None if it is not a turn's name."""
    match = _TURN.fullmatch(path.stem)
    if match is None:
        return None
    session, letter = f"Ses{match[1]}", match[4].upper()
    return Entry(
        path=path,
        id=_turn_name(path.stem),
        speaker=f"{session}_{letter}",
        emotion=emotion,
        text=match[3].lower(),
        session=session,
        sex="female" if letter == "F" else "male",
        language="english",
    )


def _turn_name(name: str) -> str:
    """A turn's name as it was published, of one whose letters are in another case."""
    match = _TURN.fullmatch(name)
    if match is None:
        return name
    wearer, dialogue, letter, number = (match[k] for k in (2, 3, 4, 5))
    turn = f"{letter.upper()}{number.upper()}"
    return f"Ses{match[1]}{wearer.upper()}_{dialogue.lower()}_{turn}"


def _labelled(
    path: Path, labels: Mapping[str, TurnLabel], emotions: Mapping[str, str]
) -> Entry | Dropped:
    if _TURN.fullmatch(path.stem) is None:
        whole = _DIALOGUE.fullmatch(path.stem)
        return Dropped(
            str(path), "a whole dialogue, not a turn" if whole else "not an IEMOCAP name"
        )
    turn = _turn_name(path.stem)
    if turn not in labels:
        return Dropped(str(path), f"a turn without a label in {_LABEL_FOLDER}")
    label = labels[turn].label
    entry = turn_entry(path, emotions.get(label, ""))
    if entry is None or not entry.emotion:
        return Dropped(str(path), f"label {label!r} is none of the four classes")
    return replace(entry, ratings=labels[turn].ratings)


def _is_scripted(found: Entry | Dropped) -> bool:
    return isinstance(found, Entry) and (found.text or "").startswith("script")


def _label_files(root: Path) -> Iterator[Path]:
    """The label files of every session; not the single annotators' in the folders below."""
    for folder, subfolders, files in os.walk(root):
        subfolders.sort()
        if Path(folder).name.lower() == _LABEL_FOLDER.lower():
            subfolders.clear()
            for file in sorted(files):
                path = Path(folder, file)
                hidden = file.startswith(".")
                if path.suffix.lower() == ".txt" and not hidden and not path.is_symlink():
                    yield path


def _lines(path: Path) -> Iterator[tuple[str, TurnLabel]]:
    """Every turn in a label file, and what it says of it."""
    for number, line in enumerate(label_text(path, _MAX_LABEL_BYTES).splitlines(), start=1):
        if line.startswith("["):
            match = _LINE.fullmatch(line.rstrip())
            if match is None:
                raise DataError(
                    f"{path}: line {number}: expected [start - end], turn, label and [V, A, D],"
                    " with tabs between"
                )
            ratings = known_ratings(dict(zip(_SCALES, match[3].split(","), strict=False)))
            place = f"{path}: line {number}"
            yield _turn_name(match[1]), TurnLabel(place, match[2].lower(), ratings)
