"""Tables from outside (CSV, TSV, Parquet), row by row; every message names the file and the row."""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.config.base import did_you_mean
from raysearch.errors import ConfigError, MissingPathError
from raysearch.paths import existing, near_spelling

__all__ = [
    "MAX_BYTES",
    "SEXES",
    "SPLITS",
    "Row",
    "audio_path",
    "check_size",
    "column_names",
    "read_table",
    "word",
]

MAX_BYTES = 1 << 30
SPLITS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
SEXES = {"female": "female", "f": "female", "male": "male", "m": "male"}


@dataclass(frozen=True, slots=True)
class Row:
    """The wanted columns of one row; ``place`` is what messages call it."""

    place: str
    cells: Mapping[str, str]


def check_size(path: Path) -> None:
    """Raises ConfigError if the file is too large to be a table of utterances."""
    if path.stat().st_size > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES >> 20} MiB")


def read_table(
    path: Path,
    required: Sequence[str],
    optional: Sequence[str] = (),
    *,
    numbers: Sequence[str] = (),
) -> Iterator[Row]:
    """The rows of a ``.csv``, ``.tsv`` or ``.parquet`` file; other columns are ignored.

    Args:
        path: of the file.
        required: columns that it must have.
        optional: columns that are read if they are there.
        numbers: further columns that it must have, which may hold fractions.

    Raises:
        ConfigError: not such a file, a column missing or twice, a ragged row.
    """
    needed = (*required, *numbers)
    if path.suffix.lower() == ".parquet":
        yield from _read_parquet(path, needed, (*needed, *optional), numbers)
    else:
        yield from _read_csv(path, needed, (*needed, *optional))


def column_names(path: Path) -> list[str]:
    """The names in the header of such a file; raises as ``read_table``."""
    if path.suffix.lower() == ".parquet":
        with _reading_parquet(path), pq.ParquetFile(path) as file:
            names: list[str] = file.schema_arrow.names
            return names
    with _reading_csv(path), open(path, encoding="utf-8-sig", newline="") as file:
        return _header(csv.reader(file, delimiter=_delimiter(path), strict=True))


@contextmanager
def _reading_csv(path: Path) -> Iterator[None]:
    try:
        yield
    except (csv.Error, UnicodeDecodeError) as error:
        kind = path.suffix[1:].upper()
        raise ConfigError(f"{path}: not a {kind} file in UTF-8 ({error})") from error


@contextmanager
def _reading_parquet(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"{path}: not a Parquet file ({error})") from error


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _header(rows: Iterator[list[str]]) -> list[str]:
    return [cell.strip() for cell in next(rows, [])]


def _read_csv(path: Path, required: Sequence[str], wanted: Sequence[str]) -> Iterator[Row]:
    with _reading_csv(path), open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=_delimiter(path), strict=True)
        header = _header(reader)
        _check_separator(header, path)
        _check_columns(header, f"{path}: line 1", required, wanted)
        for cells in reader:
            place = f"{path}: line {reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(header):
                raise ConfigError(f"{place}: {len(cells)} cells under {len(header)} columns")
            yield Row(place, _known(zip(header, cells, strict=True), wanted))


def _check_separator(header: list[str], path: Path) -> None:
    """A header in one cell is one whose cells are separated by something else."""
    other = next((mark for mark in "\t;,|" if mark in header[0]), "") if len(header) == 1 else ""
    names = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars"}
    if other:
        wanted = "name it .tsv" if other == "\t" else "separate by commas in .csv, tabs in .tsv"
        raise ConfigError(f"{path}: line 1: its cells are separated by {names[other]}: {wanted}")


def _read_parquet(
    path: Path, required: Sequence[str], wanted: Sequence[str], numbers: Sequence[str]
) -> Iterator[Row]:
    with _reading_parquet(path), pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        _check_columns(schema.names, str(path), required, wanted)
        names = [name for name in schema.names if name in wanted]
        for name in names:
            _check_type(schema.field(name), path, name in numbers)
        number = 0
        for batch in file.iter_batches(columns=names):
            for cells in batch.to_pylist():
                number += 1
                yield Row(f"{path}: row {number}", _known(cells.items(), wanted))


def _check_columns(
    names: list[str], place: str, required: Sequence[str], wanted: Sequence[str]
) -> None:
    for name in required:
        if name not in names:
            raise ConfigError(f"{place}: column {name!r} is missing{did_you_mean(name, names)}")
    for name in wanted:
        if names.count(name) > 1:
            raise ConfigError(f"{place}: column {name!r} is there {names.count(name)} times")


def _check_type(field: pa.Field, path: Path, is_number: bool) -> None:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    checks = [pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_null]
    if is_number:
        checks += [pa.types.is_floating, pa.types.is_decimal]
    if not any(check(kind) for check in checks):
        expected = "numbers" if is_number else "text or whole numbers"
        raise ConfigError(f"{path}: column {field.name!r} is {field.type}, expected {expected}")


def _known(cells: Iterable[tuple[str, object]], wanted: Sequence[str]) -> dict[str, str]:
    return {
        name: "" if cell is None else str(cell).strip() for name, cell in cells if name in wanted
    }


def audio_path(written: str, folder: Path, place: str) -> Path:
    """The file that a row names: below ``folder`` (resolved), or written as an absolute path.

    Raises:
        ConfigError: not a path, or a relative one that leaves ``folder``.
        MissingPathError: there is no such file in any Unicode form of its name.
    """
    try:
        path = existing(written, folder)
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None
    absolute = Path(written).is_absolute()
    looked = path or Path(os.path.normpath(folder / written))
    if not absolute and not looked.is_relative_to(folder):
        raise ConfigError(
            f"{place}: {written!r} leaves the folder of its table;"
            " write an absolute path if that is meant"
        )
    if path is None or not path.is_file():
        near = near_spelling(looked) if path is None else None
        hint = f"; there is {near}: only its letter case differs" if near else ""
        raise MissingPathError(f"{place}: {written!r} is not a file (looked at {looked}){hint}")
    return path


def word(row: Row, column: str, words: Mapping[str, str]) -> str | None:
    """The accepted spelling of a cell, or None if it is empty or the column is not there."""
    cell = row.cells.get(column)
    if not cell:
        return None
    if cell.lower() not in words:
        raise ConfigError(
            f"{row.place}: {column} {cell!r} is not one of {', '.join(sorted(words))}"
        )
    return words[cell.lower()]
