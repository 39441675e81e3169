"""A part's index in a file of its own: keys, frames and sums, without the values.

Whoever plans an epoch or normalises needs these of every part, and the values of none. The file
stands beside its part, is written after it, and so says that the part is whole.
"""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.errors import DataError
from raysearch.streaming.store_parts import METADATA_KEY, PartIndex, unreadable

__all__ = ["INDEX", "PartEntry", "index_name", "load_index", "part_of", "write_index"]

INDEX, PART = "index-", "part-"
BYTES_KEY = b"raysearch_part_bytes"
MAX_INDEX_BYTES = 1 << 30
SCHEMA = pa.schema(
    [
        ("content_hash", pa.string()),
        ("num_frames", pa.int64()),
        ("bin_sum", pa.list_(pa.float64())),
        ("bin_sumsq", pa.list_(pa.float64())),
    ]
)


@dataclass(frozen=True)
class PartEntry:
    """A part as its index file tells it: its rows, and its size on disk."""

    index: PartIndex
    num_bytes: int


def index_name(part: str) -> str:
    """The index file of ``part``: ``part-0a.parquet`` has ``index-0a.parquet``."""
    return f"{INDEX}{part.removeprefix(PART)}"


def part_of(name: str) -> str:
    """The part that the index file ``name`` is of."""
    return f"{PART}{name.removeprefix(INDEX)}"


def write_index(path: Path, entry: PartEntry, identity: str) -> None:
    """Publish ``entry`` at ``path`` whole or not at all; the same entry is the same bytes.

    Raises:
        OSError: it cannot be written.
    """
    index = entry.index
    columns = [
        pa.array(index.keys, pa.string()),
        pa.array(index.num_frames, pa.int64()),
        pa.array(list(index.bin_sum), pa.list_(pa.float64())),
        pa.array(list(index.bin_sumsq), pa.list_(pa.float64())),
    ]
    metadata = {METADATA_KEY: identity.encode(), BYTES_KEY: str(entry.num_bytes).encode()}
    table = pa.Table.from_arrays(columns, schema=SCHEMA.with_metadata(metadata))
    staged = path.with_name(f".staged-{uuid.uuid4().hex}")
    try:
        with staged.open("wb") as file:
            pq.write_table(
                table, file, compression="none", use_dictionary=False, write_page_checksum=True
            )
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def load_index(path: Path, identity: str, num_bins: int) -> PartEntry:
    """Read the file that ``write_index`` wrote.

    Raises:
        DataError: torn, oversized, of other columns or another ``identity``, or not finite.
        InfrastructureError: the system does not let it be read.
    """
    try:
        if path.stat().st_size > MAX_INDEX_BYTES:
            raise DataError(f"{path}: more than {MAX_INDEX_BYTES} bytes")
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            schema = file.schema_arrow
            metadata = schema.metadata or {}
            if not schema.equals(SCHEMA) or metadata.get(METADATA_KEY) != identity.encode():
                raise DataError(f"{path}: not an index of these features")
            table = file.read(use_threads=False).combine_chunks()
        num_bytes = int(metadata[BYTES_KEY])
        if any(column.null_count for column in table.columns):
            raise DataError(f"{path}: lacks values")
        frames_R = table["num_frames"].to_numpy()
        sums = [_matrix(table[name], num_bins) for name in ("bin_sum", "bin_sumsq")]
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise unreadable(path, "not a readable index", error) from error
    sound = all(np.isfinite(s).all() and s.shape == (len(frames_R), num_bins) for s in sums)
    if not sound or np.any(frames_R < 1):
        raise DataError(f"{path}: frames or sums out of range")
    keys = tuple(table["content_hash"].to_pylist())
    return PartEntry(PartIndex(keys, frames_R, sums[0], sums[1]), num_bytes)


def _matrix(column: pa.ChunkedArray, num_bins: int) -> np.ndarray:
    """(R, F); no rows at all if one has another number of bins."""
    whole = column.combine_chunks()
    if whole.null_count or np.any(whole.value_lengths().to_numpy() != num_bins):
        return np.empty((0, num_bins))
    flat: np.ndarray = whole.flatten().to_numpy()
    return flat.reshape(-1, num_bins)
