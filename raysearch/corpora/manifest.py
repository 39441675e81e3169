"""A user's own corpus as a table: CSV, TSV or Parquet, one utterance a row.

Columns ``path``, ``emotion``, ``speaker``; optional ``text``, ``session``, ``sex``, ``language``,
``fold``, ``split``; test figures may be told by any other. A relative path starts at the manifest's
folder and stays inside it; audio elsewhere is named by an absolute path. The utterance's id is its
path as written.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

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
from raysearch.corpora.utterance import Dropped
from raysearch.errors import ConfigError, EmptyCorpusError, MissingPathError
from raysearch.paths import existing

__all__ = ["Manifest"]

_REQUIRED = ("path", "emotion", "speaker")
_OPTIONAL = ("text", "session", "sex", "language", "fold", "split")
# A row without one of these would belong to no side of the split that the others define.
_FULL_IF_PRESENT = ("fold", "split")


class Manifest(CorpusParser):
    """The rows of one CSV, TSV or Parquet file."""

    name = "manifest"
    distributed = False
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
        """One entry a row of the file ``root``.

        Raises:
            ConfigError: the table or a row is wrong; the message names file and row.
            MissingPathError: a row's audio file is not there.
            EmptyCorpusError: no row at all.
        """
        places: dict[Path, str] = {}
        folder = root.parent.resolve()
        for row in read_table(root, _REQUIRED, _OPTIONAL):
            entry = _entry(row, folder)
            if entry.path in places:
                raise ConfigError(
                    f"{row.place}: {row.cells['path']!r} is already in {places[entry.path]}"
                )
            places[entry.path] = row.place
            yield entry
        if not places:
            raise EmptyCorpusError(f"{root}: no rows below the header")

    def further_columns(self, root: Path) -> tuple[str, ...]:
        """Every column that it does not read itself."""
        return tuple(name for name in column_names(root) if name not in (*_REQUIRED, *_OPTIONAL))

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


def _entry(row: Row, folder: Path) -> Entry:
    cells = row.cells
    for name in _REQUIRED + _FULL_IF_PRESENT:
        if cells.get(name) == "":
            raise ConfigError(f"{row.place}: column {name!r} is empty")
    return Entry(
        path=audio_path(cells["path"], folder, row.place),
        id=_id(row),
        speaker=cells["speaker"],
        emotion=cells["emotion"],
        text=cells.get("text") or None,
        session=cells.get("session") or None,
        sex=word(row, "sex", SEXES),
        language=cells.get("language") or None,
        fold=cells.get("fold") or None,
        split=word(row, "split", SPLITS),
    )
