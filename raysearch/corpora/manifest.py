"""A user's own corpus as a table: CSV or Parquet, one utterance a row.

Columns ``path``, ``emotion``, ``speaker``; optional ``text``, ``session``, ``sex``, ``language``,
``fold``, ``split``; others are ignored. A relative path starts at the manifest's folder and stays
inside it; audio elsewhere is named by an absolute path. The utterance's id is its path as written.
"""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.config.base import nearest
from raysearch.corpora.parser import CorpusParser, Entry
from raysearch.corpora.utterance import Dropped
from raysearch.errors import ConfigError, EmptyCorpusError, MissingPathError

__all__ = ["Manifest"]

_REQUIRED = ("path", "emotion", "speaker")
_OPTIONAL = ("text", "session", "sex", "language", "fold", "split")
# A row without one of these would belong to no side of the split that the others define.
_FULL_IF_PRESENT = ("fold", "split")
_SPLITS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
_SEXES = {"female": "female", "f": "female", "male": "male", "m": "male"}
_MAX_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class _Row:
    """The known columns of one row; ``place`` is what messages call it."""

    place: str
    cells: Mapping[str, str]


class Manifest(CorpusParser):
    """The rows of one CSV or Parquet file."""

    name = "manifest"
    expects = "rows with the columns path, emotion, speaker"

    def locate(self, data: str | None, storage: Path) -> Path:
        """The manifest's file, absolute.

        Raises:
            ConfigError: no ``data``, or not a CSV or Parquet file of bounded size.
            MissingPathError: there is nothing at ``data``.
        """
        del storage
        if data is None:
            raise ConfigError(
                "corpus 'manifest' needs --data FILE (corpus.data): a CSV or Parquet file"
                " with the columns path, emotion, speaker"
            )
        path = Path(data).expanduser()
        if not path.exists():
            raise MissingPathError(f"--data {data}: no such file")
        if not path.is_file() or path.suffix.lower() not in (".csv", ".parquet"):
            raise ConfigError(f"--data {data}: a manifest is one .csv or .parquet file")
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"--data {data}: larger than {_MAX_BYTES >> 20} MiB")
        return path.absolute()

    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """One entry a row of the file ``root``.

        Raises:
            ConfigError: the table or a row is wrong; the message names file and row.
            MissingPathError: a row's audio file is not there.
            EmptyCorpusError: no row at all.
        """
        read = _read_csv if root.suffix.lower() == ".csv" else _read_parquet
        places: dict[Path, str] = {}
        folder = root.parent.resolve()
        for row in read(root):
            entry = _entry(row, folder)
            if entry.path in places:
                raise ConfigError(
                    f"{row.place}: {row.cells['path']!r} is already in {places[entry.path]}"
                )
            places[entry.path] = row.place
            yield entry
        if not places:
            raise EmptyCorpusError(f"{root}: no rows below the header")


def _read_csv(path: Path) -> Iterator[_Row]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            _check_columns(header, f"{path}: line 1")
            for cells in reader:
                place = f"{path}: line {reader.line_num}"
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise ConfigError(f"{place}: {len(cells)} cells under {len(header)} columns")
                yield _Row(place, _known(zip(header, cells, strict=True)))
    except (csv.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a CSV file in UTF-8 ({error})") from error


def _read_parquet(path: Path) -> Iterator[_Row]:
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            _check_columns(schema.names, str(path))
            names = [name for name in schema.names if name in _REQUIRED + _OPTIONAL]
            for name in names:
                _check_type(schema.field(name), path)
            number = 0
            for batch in file.iter_batches(columns=names):
                for cells in batch.to_pylist():
                    number += 1
                    yield _Row(f"{path}: row {number}", _known(cells.items()))
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"{path}: not a Parquet file ({error})") from error


def _check_columns(names: list[str], place: str) -> None:
    for name in _REQUIRED:
        if name not in names:
            raise ConfigError(f"{place}: column {name!r} is missing{nearest(name, names)}")
    for name in _REQUIRED + _OPTIONAL:
        if names.count(name) > 1:
            raise ConfigError(f"{place}: column {name!r} is there {names.count(name)} times")


def _check_type(field: pa.Field, path: Path) -> None:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_null)
    if not any(check(kind) for check in checks):
        raise ConfigError(
            f"{path}: column {field.name!r} is {field.type}, expected text or whole numbers"
        )


def _known(cells: Iterable[tuple[str, object]]) -> dict[str, str]:
    return {
        name: "" if cell is None else str(cell).strip()
        for name, cell in cells
        if name in _REQUIRED + _OPTIONAL
    }


def _entry(row: _Row, folder: Path) -> Entry:
    cells = row.cells
    for name in _REQUIRED + _FULL_IF_PRESENT:
        if cells.get(name) == "":
            raise ConfigError(f"{row.place}: column {name!r} is empty")
    return Entry(
        path=_audio_path(row, folder),
        id=Path(os.path.normpath(cells["path"])).as_posix(),
        speaker=cells["speaker"],
        emotion=cells["emotion"],
        text=cells.get("text") or None,
        session=cells.get("session") or None,
        sex=_word(row, "sex", _SEXES),
        language=cells.get("language") or None,
        fold=cells.get("fold") or None,
        split=_word(row, "split", _SPLITS),
    )


def _audio_path(row: _Row, folder: Path) -> Path:
    written = row.cells["path"]
    if "\0" in written:
        raise ConfigError(f"{row.place}: {written!r} is not a path")
    path = Path(written)
    resolved = (folder / path).resolve()
    if not path.is_absolute() and not resolved.is_relative_to(folder):
        raise ConfigError(
            f"{row.place}: {written!r} leaves the manifest's folder;"
            " write an absolute path if that is meant"
        )
    if not resolved.is_file():
        raise MissingPathError(f"{row.place}: {written!r} is not a file (looked at {resolved})")
    return resolved


def _word(row: _Row, column: str, words: Mapping[str, str]) -> str | None:
    """The accepted spelling of a cell, or None if it is empty or the column is not there."""
    cell = row.cells.get(column)
    if not cell:
        return None
    if cell.lower() not in words:
        raise ConfigError(
            f"{row.place}: {column} {cell!r} is not one of {', '.join(sorted(words))}"
        )
    return words[cell.lower()]
