"""Which rows a feature store holds, read from its parts' indices and not from the values."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raysearch.errors import DataError, InfrastructureError
from raysearch.streaming.arrays import RowStats
from raysearch.streaming.part_index import (
    PartEntry,
    index_name,
    load_index,
    part_of,
    write_index,
)
from raysearch.streaming.store import (
    FeatureSource,
    check_manifest,
    send_parts,
    source_replica,
    stored_names,
)
from raysearch.streaming.store_parts import read_index

__all__ = ["StoreIndex", "publish_index", "scan"]

STALE_SECONDS = 3600.0


@dataclass(frozen=True)
class StoreIndex:
    """Every row of a store: its key to (part, row in it, frames), and the parts' indices."""

    locations: dict[str, tuple[str, int, int]]
    parts: dict[str, PartEntry]

    def check(self, folder: str, keys: Sequence[str]) -> None:
        """Refuse rows that the store lacks.

        Raises:
            DataError: there are some.
        """
        if absent := [key for key in keys if key not in self.locations]:
            raise DataError(f"{folder}: {len(absent)} rows are not in the store")

    def stats(self, keys: Sequence[str]) -> RowStats:
        """Frames, sums and sums of squares of the asked rows, in this order."""
        found = [self.locations[key] for key in keys]
        indices = {part: self.parts[part].index for part in {part for part, _, _ in found}}
        return RowStats(
            np.array([frames for _, _, frames in found], dtype=np.int64),
            np.stack([indices[part].bin_sum[row] for part, row, _ in found]),
            np.stack([indices[part].bin_sumsq[row] for part, row, _ in found]),
        )

    def listing(self) -> list[tuple[str, int, int]]:
        """Name, rows and bytes of each part, as a manifest lists them."""
        return [(n, len(e.index.keys), e.num_bytes) for n, e in sorted(self.parts.items())]


def scan(source: FeatureSource, *, repair: bool = False) -> StoreIndex:
    """Every sound part of the store, whether the manifest lists it or not.

    In a plain folder a part must be there, as large as its index says; below a URL the index says
    that the storage has it. A part without an index is read.

    Args:
        source: whose folder.
        repair: remove torn parts and old staged files, so that their rows are computed again, and
            write the indices that are missing; only who writes the store may ask for it.

    Raises:
        DataError: the manifest names another configuration.
        InfrastructureError: the system does not let it be read, or the storage is away.
    """
    folder = Path(source.folder)
    check_manifest(folder, source.identity)
    if repair:
        _remove_stale(folder)
    parts = {part: entry for part, entry in _indexed(source, repair).items() if entry}
    alone = sorted({path.name for path in folder.glob("part-*.parquet")} - parts.keys())
    stored = stored_names(source) if repair and alone else set()
    for path in (folder / name for name in alone):
        try:
            parts[path.name] = _entry(path, source)
        except DataError:
            if repair:
                path.unlink(missing_ok=True)
            continue
        if repair:
            if path.name not in stored:
                send_parts(source, [path.name])
            _adopt(source, path.name, parts[path.name])
    locations: dict[str, tuple[str, int, int]] = {}
    for name in sorted(parts):
        index = parts[name].index
        for row, key in enumerate(index.keys):
            locations.setdefault(key, (name, row, int(index.num_frames[row])))
    return StoreIndex(locations, parts)


def publish_index(source: FeatureSource, part: str) -> None:
    """Write and send the index of a part that is where it will stay.

    Raises:
        OSError: it cannot be written.
    """
    folder = Path(source.folder)
    entry = _entry(folder / part, source)
    write_index(folder / index_name(part), entry, source.identity)
    send_parts(source, [index_name(part)])


def _indexed(source: FeatureSource, repair: bool) -> dict[str, PartEntry | None]:
    """A part's name to what its index file says; None if that cannot be relied on."""
    folder = Path(source.folder)
    found: dict[str, PartEntry | None] = {}
    for path in sorted(folder.glob("index-*.parquet")):
        part = folder / part_of(path.name)
        entry = _loaded(path, source)
        if entry is None and (replica := source_replica(source)):
            # Torn by a crash, say. Without it the part is read, if it is here, or made again.
            with contextlib.suppress(*((InfrastructureError,) if repair else ())):
                replica.fetch([replica.key(path)])
                entry = _loaded(path, source)
        if entry and not source.storage and _size(part) != entry.num_bytes:
            entry = None
        if entry is None and repair:
            with contextlib.suppress(OSError):  # a folder that may only be read
                path.unlink()
        found[part.name] = entry
    return found


def _loaded(path: Path, source: FeatureSource) -> PartEntry | None:
    with contextlib.suppress(DataError):
        return load_index(path, source.identity, source.num_bins)
    return None


def _entry(part: Path, source: FeatureSource) -> PartEntry:
    index = read_index(part, source.identity, source.num_bins)
    return PartEntry(index, _size(part))


def _adopt(source: FeatureSource, part: str, entry: PartEntry) -> None:
    """Give a sound part, which the storage has by now, the index that it lacks."""
    path = Path(source.folder) / index_name(part)
    if source.storage:
        write_index(path, entry, source.identity)
        send_parts(source, [path.name])
        return
    # A folder that may only be read, or is full, is read as it is.
    with contextlib.suppress(OSError):
        write_index(path, entry, source.identity)


def _remove_stale(folder: Path) -> None:
    """Removes what killed writers left; a living writer's file is younger."""
    for staged in folder.glob(".staged-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - staged.stat().st_mtime > STALE_SECONDS:
                staged.unlink()


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return -1
