"""A Hugging Face dataset on disk whose rows hold their audio.

``--data`` is a folder as the Hub lays it out (Parquet, ``data/train-00000-of-00002.parquet``), as
``to_parquet`` or as ``save_to_disk`` writes it. The columns of emotions and speakers are found by
their usual names, or named: ``corpus.emotion_column``, ``corpus.speaker_column``. A label that is
a ClassLabel gets its name. An utterance's id is its shard and row, ``data/train-00000-of-00002/7``.

By default whole speakers make the folds. ``corpus.own_split=test`` divides the dataset as it is
published, if its shards are named after their sets.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from raysearch.config.base import did_you_mean
from raysearch.corpora.embedded_audio import audio_file, written_out
from raysearch.corpora.hugging_face_shards import Shard, batches, class_names, shards
from raysearch.corpora.outside_tables import SEXES
from raysearch.corpora.parser import CorpusParser, Entry
from raysearch.corpora.sides import SIDES
from raysearch.corpora.utterance import Dropped
from raysearch.errors import ConfigError, EmptyCorpusError

__all__ = ["HuggingFace"]

_EMOTION = ("emotion", "label", "emotions", "labels", "emotion_label", "major_emotion", "category")
_SPEAKER = ("speaker_id", "speaker", "spk_id", "speakerid", "speaker_name", "actor", "actor_id")
_OPTIONAL = {
    "text": ("text", "transcription", "raw_text", "normalized_text", "transcript", "sentence"),
    "sex": ("gender", "sex"),
    "language": ("language",),
}


@dataclass(frozen=True)
class _Columns:
    """What the columns of one shard are called; ``more`` has those that need not be there."""

    audio: str
    emotion: str
    speaker: str
    more: Mapping[str, str]

    @property
    def read(self) -> list[str]:
        """The columns beside the audio."""
        return list(dict.fromkeys([self.emotion, self.speaker, *self.more.values()]))


class HuggingFace(CorpusParser):
    """The rows of a dataset's shards, of any number of sets."""

    name = "hugging_face"
    distributed = False
    expects = "a Hugging Face dataset: Parquet files such as data/train-00000-of-00001.parquet"
    source = "https://huggingface.co/datasets (each under the licence on its card)"
    heeds = ("own_split", "speaker_column", "emotion_column")
    keeps_audio = True

    def __init__(self) -> None:
        self._storage = Path("results")

    def locate(self, data: str | None, storage: Path) -> Path:
        """The dataset's folder; its audio will be written out below ``storage``.

        Raises:
            ConfigError: no ``data``, or a file where a folder belongs.
            MissingPathError: there is nothing at ``data``.
        """
        self._storage = storage
        return super().locate(data, storage)

    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """One entry a row that has audio, an emotion and a speaker.

        Raises:
            ConfigError: a damaged shard, a column that is not there, or no set of that name.
            EmptyCorpusError: no file of rows.
        """
        found = shards(root)
        if not found:
            raise EmptyCorpusError(f"{root}: no .parquet or .arrow file; expected {self.expects}")
        readable = [one for one in found if isinstance(one, Shard)]
        yield from (one for one in found if isinstance(one, Dropped))
        if not readable:
            return
        columns = {shard.path: self._columns(shard) for shard in readable}
        sides = _sides_of(readable, self.options.own_split)
        audio = {one.audio for one in columns.values()}
        if len(audio) > 1:
            raise ConfigError(f"{root}: audio in columns of two names, {', '.join(sorted(audio))}")
        folder = written_out(readable, audio.pop(), self._storage)
        for shard in readable:
            yield from _entries(shard, columns[shard.path], folder, sides)

    def _columns(self, shard: Shard) -> _Columns:
        names: list[str] = shard.schema.names
        audio = [field.name for field in shard.schema if _is_audio(field.type)]
        if not audio:
            raise ConfigError(
                f"{shard.path}: no column holds audio (a struct of bytes and path) among"
                f" {', '.join(names)}; audio beside the rows is read by --corpus manifest"
            )
        found = {key: _first(names, usual) for key, usual in _OPTIONAL.items()}
        return _Columns(
            audio="audio" if "audio" in audio else audio[0],
            emotion=_column(shard, "emotion", self.options.emotion_column, _EMOTION),
            speaker=_column(shard, "speaker", self.options.speaker_column, _SPEAKER),
            more={key: name for key, name in found.items() if name},
        )


def _is_audio(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.StructType) and kind.get_field_index("bytes") >= 0


def _first(names: Sequence[str], usual: Sequence[str]) -> str | None:
    by_small = {name.casefold(): name for name in reversed(names)}
    return next((by_small[name] for name in usual if name in by_small), None)


def _column(shard: Shard, what: str, named: str | None, usual: Sequence[str]) -> str:
    names: list[str] = shard.schema.names
    if named is not None and named not in names:
        hint = did_you_mean(named, names)
        raise ConfigError(f"{shard.path}: corpus.{what}_column: no column {named!r}{hint}")
    column = named or _first(names, usual)
    if column is None:
        raise ConfigError(
            f"{shard.path}: no column names the {what} among {', '.join(names)}: say which one"
            f" does, --set corpus.{what}_column=NAME"
        )
    kind = shard.schema.field(column).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer)
    if not any(check(kind) for check in checks):
        raise ConfigError(
            f"{shard.path}: column {column!r} is {kind}, and the {what} is text or a whole number:"
            f" name another, --set corpus.{what}_column=NAME"
        )
    return column


def _sides_of(found: Sequence[Shard], test_set: str | None) -> dict[str, str] | None:
    """A set's name to its side; None if whole speakers make the folds."""
    if test_set is None:
        return None
    sets = sorted({shard.split for shard in found} - {""})
    wanted = test_set.lower()
    if wanted not in sets or SIDES[wanted] == "train":
        there = f"the sets {', '.join(sets)}" if sets else "files named after no set"
        raise ConfigError(
            f"corpus.own_split: {test_set!r} is no set to test on: the dataset has {there};"
            " leave it out for folds of whole speakers"
        )
    rest = {name: SIDES[name] for name in sets if SIDES[name] != "test"}
    return {**rest, wanted: "test"}


def _entries(
    shard: Shard, columns: _Columns, folder: Path, sides: Mapping[str, str] | None
) -> Iterator[Entry | Dropped]:
    names = class_names(shard, columns.emotion)
    row = 0
    for batch in batches(shard, columns.read):
        for cells in batch.to_pylist():
            yield _entry(shard, row, _words(cells, columns, names), folder, sides)
            row += 1


def _words(
    cells: Mapping[str, object], columns: _Columns, names: Sequence[str] | None
) -> dict[str, str]:
    """Our fields of one row, empty where it has none."""
    named = {"emotion": columns.emotion, "speaker": columns.speaker, **columns.more}
    words = {}
    for field, column in named.items():
        cell = cells[column]
        words[field] = "" if cell is None else str(cell).strip()
    number = cells[columns.emotion]
    if names is not None and isinstance(number, int):
        # datasets marks an unknown class with -1.
        words["emotion"] = names[number] if 0 <= number < len(names) else ""
    return words


def _entry(
    shard: Shard,
    row: int,
    words: Mapping[str, str],
    folder: Path,
    sides: Mapping[str, str] | None,
) -> Entry | Dropped:
    place = f"{shard.path}: row {row + 1}"
    path = audio_file(folder, shard, row)
    if not path.is_file():
        return Dropped(place, "a row without embedded audio")
    for field in ("emotion", "speaker"):
        if not words[field]:
            return Dropped(place, f"a row without {'an' if field == 'emotion' else 'a'} {field}")
    split = None
    if sides is not None:
        split = sides.get(shard.split)
        if split is None:
            return Dropped(place, f"of the set {shard.split or 'without a name'}, left out")
    return Entry(
        path=path,
        id=f"{shard.name}/{row}",
        speaker=words["speaker"],
        emotion=words["emotion"],
        text=words.get("text") or None,
        sex=SEXES.get(words.get("sex", "").lower()),
        language=words.get("language") or None,
        split=split,
    )
