"""A user's own corpus as a table: CSV, TSV or Parquet, one utterance a row.

Where several people judged a recording, there are two ways to say it: a column ``annotator``, a row
for each of them; or a column a class, with its votes or its probability (``corpus.vote_columns``).
The emotion is then what most of them chose, or the column ``emotion`` beside the classes'.

The columns ``arousal``, ``valence`` and ``dominance``, as far as they are there, are a recording's
ratings, on any scale; of several annotators' rows the mean is taken. With ``corpus.rated`` no
recording needs an emotion.

Columns ``path``, ``emotion``, ``speaker``; optional ``text``, ``session``, ``sex``, ``language``,
``fold``, ``split``; test figures may be told by any other. A relative path starts at the manifest's
folder and stays inside it; audio elsewhere is named by an absolute path. The utterance's id is its
path as written.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from raysearch.corpora.dimensions import UNLABELLED, read_ratings
from raysearch.corpora.outside_tables import (
    SEXES,
    SPLITS,
    Row,
    audio_path,
    check_size,
    column_names,
    read_table,
    word,
)
from raysearch.corpora.parser import CorpusParser, Entry
from raysearch.corpora.utterance import DIMENSIONS, Dropped
from raysearch.corpora.votes import labelled, read_votes, united
from raysearch.errors import ConfigError, EmptyCorpusError, MissingPathError
from raysearch.paths import existing

__all__ = ["Manifest"]

_REQUIRED = ("path", "emotion", "speaker")
_OPTIONAL = ("text", "session", "sex", "language", "fold", "split")
# A row without one of these would belong to no side of the split that the others define.
_FULL_IF_PRESENT = ("fold", "split")
_ANNOTATOR = "annotator"


class Manifest(CorpusParser):
    """The rows of one CSV, TSV or Parquet file."""

    name = "manifest"
    distributed = False
    heeds = ("vote_columns", "rated")
    expects = "rows with the columns path, emotion, speaker"

    def locate(self, data: str | None, storage: Path) -> Path:
        """The manifest's file, absolute.

        Raises:
            ConfigError: no ``data``, or not a CSV, TSV or Parquet file of bounded size.
            MissingPathError: there is nothing at ``data``.
        """
        del storage
        if data is None:
            raise ConfigError(
                "corpus 'manifest' needs --data FILE (corpus.data): a CSV, TSV or Parquet file"
                " with the columns path, emotion, speaker"
            )
        there = existing(data)
        if there is None:
            raise MissingPathError(f"--data {data}: no such file")
        path = Path(data).expanduser().absolute()
        path = path if path.exists() else there
        if not path.is_file() or path.suffix.lower() not in (".csv", ".tsv", ".parquet"):
            raise ConfigError(f"--data {data}: a manifest is one .csv, .tsv or .parquet file")
        check_size(path)
        return path

    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """One entry a recording of the file ``root``; dropped if its votes give it no label.

        Raises:
            ConfigError: the table or a row is wrong; the message names file and row.
            MissingPathError: a row's audio file is not there.
            EmptyCorpusError: no row at all.
        """
        columns, rated = self._vote_columns(), self.options.rated
        names = column_names(root)
        dimensions = [name for name in DIMENSIONS if name in names]
        self._check_emotion(root, names, dimensions)
        by_annotator = _ANNOTATOR in names
        if by_annotator and columns:
            raise ConfigError(
                f"{root}: a column {_ANNOTATOR!r} and corpus.vote_columns: votes are a row each or "
                "a column a class, not both"
            )
        unneeded = by_annotator or rated or bool(columns)
        required = tuple(n for n in _REQUIRED if not ((columns or rated) and n == "emotion"))
        optional = (*_OPTIONAL, "emotion", _ANNOTATOR)
        found: dict[Path, list[tuple[Row, Entry]]] = {}
        folder = root.parent.resolve()
        for row in read_table(root, required, optional, numbers=(*columns, *dimensions)):
            entry = replace(
                _entry(row, folder, columns, may_lack_emotion=unneeded),
                ratings=read_ratings(row, dimensions),
            )
            before = found.setdefault(entry.path, [])
            before.append((row, entry))
            if len(before) > 1 and not by_annotator:
                raise ConfigError(
                    f"{row.place}: {row.cells['path']!r} is already in {before[0][0].place}"
                )
        if not found:
            raise EmptyCorpusError(f"{root}: no rows below the header")
        for rows in found.values():
            entry = united(rows) if by_annotator else rows[0][1]
            yield replace(entry, emotion=entry.emotion or UNLABELLED) if rated else labelled(entry)

    def _check_emotion(self, root: Path, names: Sequence[str], dimensions: Sequence[str]) -> None:
        """Say what is to be done where a table is of ratings alone, or is said to be and is not."""
        rated, has_emotions = self.options.rated, "emotion" in names or bool(self._vote_columns())
        if rated and not dimensions:
            raise ConfigError(
                f"{root}: corpus.rated asks for ratings: there is no column {DIMENSIONS[0]!r},"
                f" {DIMENSIONS[1]!r} or {DIMENSIONS[2]!r}"
            )
        if dimensions and not (rated or has_emotions):
            raise ConfigError(
                f"{root}: no column 'emotion'; to predict {', '.join(dimensions)} instead, set"
                " corpus.rated=true and training.task=dimensions"
            )

    def _vote_columns(self) -> tuple[str, ...]:
        columns = self.options.vote_columns or ()
        for name in columns:
            if name in (*_REQUIRED, *_OPTIONAL, *DIMENSIONS, _ANNOTATOR) or columns.count(name) > 1:
                raise ConfigError(
                    f"corpus.vote_columns: {name!r} is named twice, or is no column of a class"
                )
        return columns

    def further_columns(self, root: Path) -> tuple[str, ...]:
        """Every column that it does not read itself."""
        read = {*_REQUIRED, *_OPTIONAL, *DIMENSIONS, _ANNOTATOR, *self._vote_columns()}
        return tuple(name for name in column_names(root) if name not in read)

    def further_cells(
        self, root: Path, columns: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[str, str]]]:
        """The id and the wanted cells of each row.

        Raises:
            ConfigError: the table is wrong, or holds something else than text or whole numbers.
        """
        for row in read_table(root, ("path", *columns)):
            yield _id(row), {name: row.cells[name] for name in columns}


def _id(row: Row) -> str:
    return Path(os.path.normpath(row.cells["path"])).as_posix()


def _entry(row: Row, folder: Path, columns: Sequence[str], *, may_lack_emotion: bool) -> Entry:
    cells = row.cells
    for name in _REQUIRED + _FULL_IF_PRESENT:
        if cells.get(name) == "" and not (may_lack_emotion and name == "emotion"):
            raise ConfigError(f"{row.place}: column {name!r} is empty")
    return Entry(
        path=audio_path(cells["path"], folder, row.place),
        id=_id(row),
        speaker=cells["speaker"],
        emotion=cells.get("emotion", ""),
        text=cells.get("text") or None,
        session=cells.get("session") or None,
        sex=word(row, "sex", SEXES),
        language=cells.get("language") or None,
        fold=cells.get("fold") or None,
        split=word(row, "split", SPLITS),
        votes=read_votes(row, columns),
    )
