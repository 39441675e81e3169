"""Rows of a feature store, from wherever their parts are; each is read in this process."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from raysearch.errors import DataError, InfrastructureError
from raysearch.streaming.part_cache import PartCache
from raysearch.streaming.store import FeatureSource, source_replica
from raysearch.streaming.store_parts import read_rows

__all__ = ["PartRows", "fetch_rows", "stored_rows"]

# Parts that are read, or fetched from a bucket, at the same time.
PARTS_AT_ONCE = 4

# A part's name, its bytes, and the rows asked of it.
PartRows = tuple[str, int, Sequence[int]]


def stored_rows(
    source: FeatureSource, part: str, num_bytes: int, rows: Sequence[int]
) -> dict[int, np.ndarray]:
    """The asked rows of a part, float32 (T, F), the part fetched to this node if it is not here.

    Args:
        source: whose part.
        part: its name.
        num_bytes: its size.
        rows: in the part.

    Raises:
        DataError: damaged, also after it was fetched again.
        InfrastructureError: it cannot be fetched.
    """
    path = Path(source.folder) / part
    replica = source_replica(source)
    if replica is None:  # read where it was computed
        return _values(path, source, rows)
    cache = PartCache(replica, path.parent.parent, source.disk_bytes)
    try:
        with cache.held(path, num_bytes):
            return _values(path, source, rows)
    except DataError:  # this copy may have been torn by a crash
        cache.drop(path)
        with cache.held(path, num_bytes):
            return _values(path, source, rows)


def fetch_rows(
    source: FeatureSource, parts: Sequence[PartRows]
) -> Iterator[tuple[str, Mapping[int, np.ndarray]]]:
    """Read the rows asked of each part, a few parts ahead of the caller.

    Threads do it: most of the time is the disk's, the network's and Arrow's, which leave Python
    free. Tasks would start two processes for it before the first trial can begin.

    Args:
        source: whose parts.
        parts: what is asked of each.

    Yields:
        A part's name, and its rows' values (T, F); in the order of ``parts``.

    Raises:
        DataError: a part that is damaged or lacks a row.
        InfrastructureError: a part that cannot be fetched.
    """
    with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="parts") as pool:
        # As many parts as threads at a time: what is read waits in memory for the caller.
        for begin in range(0, len(parts), PARTS_AT_ONCE):
            some = parts[begin : begin + PARTS_AT_ONCE]
            found = pool.map(lambda asked: _told(source, *asked), some)
            yield from zip((part for part, _, _ in some), found, strict=True)


def _told(
    source: FeatureSource, part: str, num_bytes: int, rows: Sequence[int]
) -> dict[int, np.ndarray]:
    """As ``stored_rows``; what the system refuses is told as what it is, the machine's fault."""
    try:
        return stored_rows(source, part, num_bytes, rows)
    except OSError as error:
        raise InfrastructureError(str(error)) from error


def _values(path: Path, source: FeatureSource, rows: Sequence[int]) -> dict[int, np.ndarray]:
    found = read_rows(path, source.identity, rows, source.num_bins)
    return {row: values_TF for row, (_, values_TF) in found.items()}
