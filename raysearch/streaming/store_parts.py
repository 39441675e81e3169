"""One Parquet part of a feature store: its columns, how it is published, how it is read.

A part holds whole utterances, unnormalised, as plain lists beside explicit shapes: portable, and
nothing in it can run code. Values are float32, or float16 where an extractor says that it is exact
enough; whoever reads them is given float32. Axis letters: R rows, T frames, F bins.
"""

import hashlib
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.errors import DataError, InfrastructureError

__all__ = [
    "PartIndex",
    "PartRow",
    "open_part",
    "part_name",
    "read_index",
    "read_rows",
    "unreadable",
    "write_part",
]

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("content_hash", pa.string()),
        ("num_frames", pa.int32()),
        ("num_bins", pa.int32()),
        ("values", pa.list_(pa.float32())),
        ("bin_sum", pa.list_(pa.float64())),
        ("bin_sumsq", pa.list_(pa.float64())),
    ]
)
_VALUES = SCHEMA.get_field_index("values")
HALF_SCHEMA = SCHEMA.set(_VALUES, pa.field("values", pa.list_(pa.float16())))
METADATA_KEY = b"raysearch_features"
# Few rows a group: a streamed epoch reads rows in random order, and a group is the least it reads.
ROWS_PER_GROUP = 4
MAX_PART_BYTES = 8 << 30
MAX_PART_ROWS = 65536
MAX_FRAMES = 10_000_000


@dataclass(frozen=True)
class PartRow:
    """One utterance's features, ready to be written."""

    id: str
    content_hash: str
    values: np.ndarray


@dataclass(frozen=True)
class PartIndex:
    """A part's small columns: keys and frames a row, and sums over frames for statistics."""

    keys: tuple[str, ...]
    num_frames: np.ndarray
    bin_sum: np.ndarray
    bin_sumsq: np.ndarray


def part_name(keys: Iterable[str]) -> str:
    """The name of the part that holds these rows: a rerun of the same work writes the same file."""
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()
    return f"part-{digest[:20]}.parquet"


def write_part(path: Path, rows: Sequence[PartRow], identity: str, *, half: bool = False) -> None:
    """Publishes ``rows`` at ``path`` whole or not at all.

    Args:
        path: the part's file.
        rows: its rows, in order.
        identity: goes into its metadata.
        half: store values as float16; what is beyond its range becomes its largest value. Sums
            are of the values as stored.
    """
    arrays_TF = [_halved(row.values) if half else row.values for row in rows]
    schema = HALF_SCHEMA if half else SCHEMA
    columns: list[pa.Array] = [
        pa.array([row.id for row in rows], pa.string()),
        pa.array([row.content_hash for row in rows], pa.string()),
        pa.array([a.shape[0] for a in arrays_TF], pa.int32()),
        pa.array([a.shape[1] for a in arrays_TF], pa.int32()),
        _lists([a.ravel() for a in arrays_TF], schema.field(_VALUES).type.value_type),
        _lists([a.sum(axis=0, dtype=np.float64) for a in arrays_TF], pa.float64()),
        _lists([np.square(a, dtype=np.float64).sum(axis=0) for a in arrays_TF], pa.float64()),
    ]
    schema = schema.with_metadata({METADATA_KEY: identity.encode()})
    staged = path.with_name(f".staged-{uuid.uuid4().hex}")
    try:
        with staged.open("wb") as file:
            pq.write_table(
                pa.Table.from_arrays(columns, schema=schema),
                file,
                row_group_size=ROWS_PER_GROUP,
                compression="none",
                use_dictionary=False,
                write_page_checksum=True,
            )
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def _halved(values_TF: np.ndarray) -> np.ndarray:
    largest = np.finfo(np.float16).max
    halved: np.ndarray = np.clip(values_TF, -largest, largest).astype(np.float16)
    return halved


def _lists(arrays: Sequence[np.ndarray], kind: pa.DataType) -> pa.Array:
    """One list a row from flat arrays, with no Python object a value."""
    offsets = np.concatenate([[0], np.cumsum([a.size for a in arrays])]).astype(np.int32)
    flat = np.concatenate(arrays) if arrays else np.empty(0)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat, kind))


def unreadable(path: Path, what: str, error: Exception) -> DataError | InfrastructureError:
    """The file's fault, or the machine's: what the system refuses has a number.

    An absent file counts as damaged, as whoever reads it can get it anew.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number and not isinstance(error, FileNotFoundError):
        return InfrastructureError(f"{path}: cannot be read: {os.strerror(number)}")
    return DataError(f"{path}: {what} ({error})")


def open_part(path: Path, identity: str) -> pq.ParquetFile:
    """The part, its size, row count, columns and origin checked before any value is read.

    Raises:
        DataError: torn, oversized, of other columns, or written for another ``identity``.
        InfrastructureError: the system does not let it be read.
    """
    try:
        if path.stat().st_size > MAX_PART_BYTES:
            raise DataError(f"{path}: more than {MAX_PART_BYTES} bytes")
        part = pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, "not a readable Parquet part", error) from error
    schema = part.schema_arrow
    known = schema.equals(SCHEMA) or schema.equals(HALF_SCHEMA)
    if not known or part.metadata.num_rows > MAX_PART_ROWS:
        raise DataError(f"{path}: not a feature part (columns or row count differ)")
    if (schema.metadata or {}).get(METADATA_KEY) != identity.encode():
        raise DataError(f"{path}: holds features of another configuration")
    return part


def read_index(path: Path, identity: str, num_bins: int) -> PartIndex:
    """The small columns of the part.

    Raises:
        DataError: as ``open_part``, shapes that contradict each other, or values that are not
            finite, which an earlier version stored.
    """
    part = open_part(path, identity)
    names = ["content_hash", "num_frames", "num_bins", "bin_sum", "bin_sumsq"]
    table = _read(part, path, list(range(part.metadata.num_row_groups)), names)
    frames_R = table["num_frames"].to_numpy()
    if not _sound(table) or np.any(table["num_bins"].to_numpy() != num_bins):
        raise DataError(f"{path}: frame or bin counts out of range")
    sums = [_matrix(table[name], len(frames_R), num_bins, path) for name in names[-2:]]
    if not all(np.isfinite(matrix_RF).all() for matrix_RF in sums):
        raise DataError(f"{path}: holds values that are not finite")
    return PartIndex(tuple(table["content_hash"].to_pylist()), frames_R, sums[0], sums[1])


def read_rows(
    path: Path, identity: str, rows: Sequence[int], num_bins: int
) -> dict[int, tuple[str, np.ndarray]]:
    """The asked rows of the part: row to (content hash, float32 values (T, F)).

    Whole groups are read.

    Raises:
        DataError: as ``open_part``, or a row that is absent or whose values miss its shape.
    """
    part = open_part(path, identity)
    wanted = set(rows)
    if wanted and not 0 <= min(wanted) <= max(wanted) < part.metadata.num_rows:
        raise DataError(f"{path}: rows {min(wanted)}..{max(wanted)} are not all there")
    found: dict[int, tuple[str, np.ndarray]] = {}
    names = ["content_hash", "num_frames", "num_bins", "values"]
    first = 0
    for group in range(part.metadata.num_row_groups):
        num_rows = part.metadata.row_group(group).num_rows
        inside = wanted.intersection(range(first, first + num_rows))
        if inside:
            table = _read(part, path, [group], names)
            if not _sound(table):
                raise DataError(f"{path}: frame or bin counts out of range")
            for row in inside:
                found[row] = _row(table, row - first, num_bins, path)
        first += num_rows
    return found


def _read(part: pq.ParquetFile, path: Path, groups: list[int], columns: list[str]) -> pa.Table:
    try:
        return part.read_row_groups(groups, columns=columns, use_threads=False).combine_chunks()
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, "damaged", error) from error


def _sound(table: pa.Table) -> bool:
    frames = table["num_frames"].to_numpy()
    nulls = sum(column.null_count for column in table.columns)
    return nulls == 0 and bool(np.all((frames >= 1) & (frames <= MAX_FRAMES)))


def _row(table: pa.Table, row: int, num_bins: int, path: Path) -> tuple[str, np.ndarray]:
    values = table["values"][row].values.to_numpy().astype(np.float32, copy=False)
    num_frames = table["num_frames"][row].as_py()
    if table["num_bins"][row].as_py() != num_bins or values.size != num_frames * num_bins:
        raise DataError(f"{path}: a row's values do not have its shape")
    return table["content_hash"][row].as_py(), values.reshape(num_frames, num_bins)


def _matrix(column: pa.ChunkedArray, num_rows: int, num_bins: int, path: Path) -> np.ndarray:
    lengths = column.combine_chunks().value_lengths().to_numpy()
    if np.any(lengths != num_bins):
        raise DataError(f"{path}: sums do not have {num_bins} bins")
    flat: np.ndarray = column.combine_chunks().flatten().to_numpy()
    return flat.reshape(num_rows, num_bins)
