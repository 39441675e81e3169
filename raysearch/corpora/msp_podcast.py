"""MSP-Podcast: spontaneous speech of podcasts, labelled by its listeners (Lotfian and Busso 2019).

A segment is ``Audios/MSP-PODCAST_0001_0008.wav``: podcast 0001, segment 0008. Its consensus is a
row of ``Labels/labels_consensus.csv``: FileName, EmoClass, EmoAct, EmoVal, EmoDom, SpkrID, Gender,
Split_Set; EmoAct, EmoVal and EmoDom are the means of its arousal, valence and dominance. The eight
emotions are kept; ``O``, another emotion, and ``X``, no agreement, with ``corpus.rated`` only.
Segments of unknown speakers are not: nobody could say on which side of a split they belong.

By default whole speakers make the folds. ``corpus.own_split=Test1`` divides the corpus as it is
published: Train, Development, and that test set.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from raysearch.corpora.dimensions import known_ratings
from raysearch.corpora.outside_tables import SEXES, Row, check_size, read_table
from raysearch.corpora.parser import CorpusParser, Entry, walk_audio
from raysearch.corpora.utterance import Dropped
from raysearch.errors import ConfigError, EmptyCorpusError

__all__ = ["MspPodcast"]

_EMOTIONS = {
    "A": "anger",
    "C": "contempt",
    "D": "disgust",
    "F": "fear",
    "H": "happiness",
    "N": "neutral",
    "S": "sadness",
    "U": "surprise",
}
_OTHER_EMOTIONS = {"O": "another emotion", "X": "no agreement"}
# The second is how earlier releases spelt it.
_TABLES = ("labels_consensus.csv", "labels_concensus.csv")
_REQUIRED = ("FileName", "EmoClass", "SpkrID")
_SCALES = {"arousal": "EmoAct", "valence": "EmoVal", "dominance": "EmoDom"}
_OPTIONAL = ("Gender", "Split_Set", *_SCALES.values())
_NAME_START = "msp-podcast_"
_SIDES = {"train": "train", "development": "validation", "validation": "validation"}


class MspPodcast(CorpusParser):
    """The segments of MSP-Podcast whose emotion and speaker are known."""

    name = "msp_podcast"
    expects = "MSP-Podcast: Labels/labels_consensus.csv and Audios/MSP-PODCAST_0001_0008.wav"
    source = (
        "https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html"
        " (for research, by signed agreement)"
    )
    licence = "MSP-Podcast: for research, by signed agreement."
    fixed_ids = True
    original_rate = 16_000
    heeds = ("own_split", "rated")

    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """Labelled segments below ``root``; the id is the segment's name.

        Raises:
            ConfigError: two tables, a damaged or unknown row, or no test set of that name.
            EmptyCorpusError: no table.
        """
        files: list[Path] = []
        others: list[Dropped] = []
        tables: list[Path] = []
        for found in walk_audio(root):
            if not isinstance(found, Dropped):
                files.append(found)
            elif _is_table(Path(found.path)):
                tables.append(Path(found.path))
            else:
                others.append(found)
        rows = _rows(root, tables, self.expects)
        sides = _sides_of(rows, self.options.own_split)
        emotions = {**_EMOTIONS, **_OTHER_EMOTIONS} if self.options.rated else _EMOTIONS
        yield from others
        for path in files:
            yield _labelled(path, rows.get(path.stem.casefold()), sides, emotions)
        for missing in sorted(rows.keys() - {path.stem.casefold() for path in files}):
            row = rows[missing]
            yield Dropped(row.place, f"a row without its WAV file: {row.cells['FileName']}")

    def recognises(self, path: Path) -> bool:
        """Whether the name of ``path`` is that of a segment."""
        return path.stem.casefold().startswith(_NAME_START)


def _is_table(path: Path) -> bool:
    return path.name.lower() in _TABLES and not path.is_symlink()


def _rows(root: Path, tables: list[Path], expects: str) -> dict[str, Row]:
    """A segment's name in small letters to its row."""
    if not tables:
        raise EmptyCorpusError(f"{root}: no labels_consensus.csv; expected {expects}")
    if len(tables) > 1:
        raise ConfigError(
            f"{root}: two tables of labels, {tables[0]} and {tables[1]}: give --data the folder"
            " of one release"
        )
    check_size(tables[0])
    rows: dict[str, Row] = {}
    for row in read_table(tables[0], _REQUIRED, _OPTIONAL):
        name = Path(row.cells["FileName"]).stem.casefold()
        if name in rows:
            raise ConfigError(
                f"{row.place}: {row.cells['FileName']!r} is already in {rows[name].place}"
            )
        letter = row.cells["EmoClass"].upper()
        if letter and letter not in _EMOTIONS and letter not in _OTHER_EMOTIONS:
            known = ", ".join([*_EMOTIONS, *_OTHER_EMOTIONS])
            raise ConfigError(f"{row.place}: EmoClass {letter!r} is not one of {known}")
        rows[name] = row
    return rows


def _sides_of(rows: dict[str, Row], test_set: str | None) -> dict[str, str] | None:
    """Split_Set in small letters to a side of the split; None if whole speakers make folds."""
    if test_set is None:
        return None
    sets = {row.cells.get("Split_Set", "") for row in rows.values()}
    tests = sorted(name for name in sets if name and name.casefold() not in _SIDES)
    if test_set.casefold() not in {name.casefold() for name in tests}:
        found = f"one of {', '.join(tests)}" if tests else "in its labels, which name no test set"
        raise ConfigError(
            f"corpus.own_split: {test_set!r} is not {found}; leave it out for folds of whole"
            " speakers"
        )
    return {**_SIDES, test_set.casefold(): "test"}


def _labelled(
    path: Path, row: Row | None, sides: dict[str, str] | None, emotions: Mapping[str, str]
) -> Entry | Dropped:
    if row is None:
        named = path.stem.casefold().startswith(_NAME_START)
        reason = "a segment without a label in labels_consensus.csv"
        return Dropped(str(path), reason if named else "not an MSP-Podcast name")
    letter, speaker = row.cells["EmoClass"].upper(), row.cells["SpkrID"]
    if letter not in emotions:
        why = f"label {letter!r}, {_OTHER_EMOTIONS[letter]}" if letter else "no label in its row"
        return Dropped(str(path), why)
    if speaker.casefold() in ("", "unknown"):
        return Dropped(str(path), "a segment of an unknown speaker")
    split = None
    if sides is not None:
        own = row.cells.get("Split_Set", "")
        split = sides.get(own.casefold())
        if split is None:
            return Dropped(str(path), f"of {own or 'no set'}, which corpus.own_split leaves out")
    return Entry(
        path=path,
        id=Path(row.cells["FileName"]).stem,
        speaker=speaker,
        emotion=emotions[letter],
        session=path.stem.split("_")[1] if path.stem.count("_") > 1 else None,
        sex=SEXES.get(row.cells.get("Gender", "").lower()),
        language="english",
        split=split,
        ratings=known_ratings({name: row.cells.get(key, "") for name, key in _SCALES.items()}),
    )
