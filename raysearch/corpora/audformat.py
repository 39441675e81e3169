"""An audformat database: ``db.yaml``, and tables ``db.<table>.csv`` or ``.parquet`` beside it.

``--data`` is the database's folder, or one of its tables to take the emotions from that table
only. The emotion is the column named ``emotion`` or of the scheme ``emotion``; speaker, session,
language, transcription and sex are found alike in any table of whole files, and in the labels of
the speaker's scheme. A table's ``split_id`` becomes the column ``split`` if all rows have one.

The header and tables are read here, not by the ``audformat`` package, because that package loads
pickles where it finds them, and a corpus from outside must not run code.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from raysearch.corpora.audformat_header import Header, TableInfo, read_header
from raysearch.corpora.outside_tables import SEXES, audio_path, check_size, read_table
from raysearch.corpora.parser import CorpusParser, Entry
from raysearch.corpora.utterance import Dropped
from raysearch.errors import ConfigError, EmptyCorpusError
from raysearch.paths import existing

__all__ = ["Audformat"]

_HEADER = "db.yaml"
_SUFFIXES = (".csv", ".parquet")
# Our fields, and what a column or scheme of the database may be called.
_FIELDS = {
    "speaker": ("speaker",),
    "text": ("transcription", "text"),
    "session": ("session",),
    "sex": ("sex", "gender"),
    "language": ("language",),
}


class Audformat(CorpusParser):
    """The rows of a database's tables of whole files."""

    name = "audformat"
    distributed = False
    expects = "an audformat database: a folder with db.yaml and tables as CSV or Parquet"
    source = "its publisher (public ones: the package audb), under the licence in its header"

    def locate(self, data: str | None, storage: Path) -> Path:
        """The database's folder, or one of its tables, absolute.

        Raises:
            ConfigError: no ``data``, no header there, or another kind of file.
            MissingPathError: there is nothing at ``data``.
        """
        path = existing(data) if data is not None else None
        if path is not None and path.is_file() and path.name == _HEADER:
            return path.parent
        if path is not None and path.is_file():
            if not (path.name.startswith("db.") and path.suffix in _SUFFIXES):
                raise ConfigError(f"--data {data}: not a table such as db.emotion.csv")
            return path
        return super().locate(data, storage)

    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """One entry a file that has an emotion; the id is the file's path in the database.

        Raises:
            ConfigError: a wrong header or row, no emotion or speaker; the message names the row.
            EmptyCorpusError: no header.
            MissingPathError: a row's audio is not there.
        """
        folder = root.parent if root.is_file() else root
        if not (folder / _HEADER).is_file():
            raise EmptyCorpusError(f"{folder}: no {_HEADER}; expected {self.expects}")
        header = read_header(folder / _HEADER)
        only = root.name.removeprefix("db.").removesuffix(root.suffix) if root.is_file() else None
        emotions = _emotions(folder, header, only)
        fields = {name: _column(folder, header, names) for name, names in _FIELDS.items()}
        has_splits = all(split for _, _, split in emotions.values())
        for file, (place, emotion, split) in emotions.items():
            path = audio_path(file, folder, place)
            if not emotion:
                yield Dropped(str(path), "a row without an emotion")
                continue
            cells = {name: column[file][1] for name, column in fields.items() if file in column}
            yield _entry(header, path, file, place, emotion, split if has_splits else None, cells)


def _entry(
    header: Header,
    path: Path,
    file: str,
    place: str,
    emotion: str,
    split: str | None,
    cells: Mapping[str, str],
) -> Entry:
    speaker = cells.get("speaker")
    if not speaker:
        raise ConfigError(f"{place}: no table of whole files names the speaker of {file!r}")
    known = header.details("speaker", speaker)
    sex = cells.get("sex") or known.get("sex") or known.get("gender") or ""
    text = cells.get("text")
    return Entry(
        path=path,
        id=Path(os.path.normpath(file)).as_posix(),
        speaker=speaker,
        emotion=emotion,
        text=header.meaning("transcription", text) if text else None,
        session=cells.get("session") or None,
        sex=SEXES.get(sex.lower()),
        language=cells.get("language") or known.get("language") or header.language,
        split=split,
    )


def _emotions(
    folder: Path, header: Header, only: str | None
) -> dict[str, tuple[str, str, str | None]]:
    """File to (place, emotion, split), over every table that has emotions."""
    tables = [table for table in header.tables if only in (None, table.name)]
    wanted = [(table, table.column(("emotion",))) for table in tables]
    found: dict[str, tuple[str, str, str | None]] = {}
    for table, column in ((t, c) for t, c in wanted if c and t.is_filewise):
        for file, (place, emotion) in _cells(folder, table, column).items():
            allowed = header.labels("emotion")
            if emotion and allowed and emotion not in allowed:
                raise ConfigError(f"{place}: emotion {emotion!r} is not in the header's scheme")
            before = found.get(file, (place, emotion, None))
            if before[1] != emotion:
                raise ConfigError(
                    f"{place}: {file!r} is {emotion!r} here and {before[1]!r} in {before[0]}; name"
                    " the table that counts, as --data FOLDER/db.<table>.csv"
                )
            found[file] = (before[0], emotion, before[2] or table.split)
    if not found:
        raise ConfigError(f"{header.path}: {_nothing(wanted, only)}")
    return found


def _nothing(wanted: list[tuple[TableInfo, str | None]], only: str | None) -> str:
    """Why no emotion was found."""
    if only is not None:
        return f"table {only!r} has no rows of whole files with a column 'emotion'"
    segments = [table.name for table, column in wanted if column and not table.is_filewise]
    if segments:
        return f"emotions of segments only (table {segments[0]!r}): cut the audio into files first"
    return "no table with rows has a column 'emotion'"


def _column(folder: Path, header: Header, names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """File to (place, value) of one field, over every table of whole files that has it."""
    found: dict[str, tuple[str, str]] = {}
    for table in header.tables:
        column = table.column(names)
        if column is None or not table.is_filewise:
            continue
        for file, (place, value) in _cells(folder, table, column).items():
            before = found.setdefault(file, (place, value))
            if value and before[1] and before[1] != value:
                raise ConfigError(
                    f"{place}: {column} of {file!r} is {value!r} here and {before[1]!r} in"
                    f" {before[0]}"
                )
            if value and not before[1]:
                found[file] = (place, value)
    return found


def _cells(folder: Path, table: TableInfo, column: str) -> dict[str, tuple[str, str]]:
    paths = [folder / f"db.{table.name}{suffix}" for suffix in _SUFFIXES]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ConfigError(
            f"{paths[0]}: the header's table {table.name!r} is not there as CSV or Parquet"
            " (pickles are not read; audformat's Database.save writes either)"
        )
    check_size(path)
    cells: dict[str, tuple[str, str]] = {}
    for row in read_table(path, ("file", column)):
        file = row.cells["file"]
        if not file:
            raise ConfigError(f"{row.place}: column 'file' is empty")
        if file in cells:
            raise ConfigError(f"{row.place}: {file!r} is already in {cells[file][0]}")
        cells[file] = (row.place, row.cells[column])
    return cells
