"""The parts that a node has fetched: as many as its disk budget lets stay, oldest use first out.

A store below a URL has a folder on every node. Parts come there when they are read, and leave when
others need the room. Processes share the folder, so who reads a part holds a lock on it, and only
one of them fetches it.
"""

import contextlib
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from raysearch.errors import InfrastructureError
from raysearch.storage.replica import Replica
from raysearch.streaming.part_index import index_name

__all__ = ["PartCache", "disk_budget"]

LOCKS = ".part-locks"
ROOM = ".room-"
STALE_SECONDS = 3600.0
FREE_SHARE = 0.5
# A part that leaves before it can be opened is fetched again; so often, and the budget is to blame.
MAX_FETCHES = 20


class PartCache:
    """The fetched parts of all feature sets below one folder.

    Args:
        replica: the storage that they are fetched from.
        root: the folder of the feature sets' folders.
        max_bytes: the budget; by default half of the disk that is free or already theirs. A part
            that is being read stays, even above it.
    """

    def __init__(self, replica: Replica, root: Path, max_bytes: int | None) -> None:
        self._replica = replica
        self._root = root
        self._max_bytes = max_bytes

    @contextmanager
    def held(self, path: Path, num_bytes: int) -> Iterator[Path]:
        """The part at ``path``, fetched if it is not here, safe from eviction in the block.

        Args:
            path: where the part has its place.
            num_bytes: its size, for which room is made.

        Raises:
            InfrastructureError: it cannot be fetched.
        """
        for _ in range(MAX_FETCHES):
            if (handle := _shared(path)) is not None:
                break
            self._fetch(path, num_bytes)
        else:
            raise InfrastructureError(
                f"{path}: evicted as often as it was fetched; raise search.stream_disk_gib"
            )
        try:
            yield path
        finally:
            os.close(handle)

    def drop(self, path: Path) -> None:
        """Remove a copy that was found to be damaged, once nobody reads it."""
        with contextlib.suppress(FileNotFoundError), _opened_to_lock(path) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(handle), os.stat(path)):  # not yet replaced
                path.unlink()

    def trim(self) -> None:
        """Evict until the budget holds, as after parts were computed here."""
        with self._locked("room"):
            self._evict_for(0)

    def num_bytes(self) -> int:
        """Bytes of the parts that are here, and of the room taken for those on their way."""
        return sum(_size(path) for path in (*self._parts(), *self._rooms()))

    def _fetch(self, path: Path, num_bytes: int) -> None:
        with self._locked(path.stem[-2:]):
            if path.exists():
                return
            room = self._root / f"{ROOM}{uuid.uuid4().hex}"
            try:
                self._make_room(room, num_bytes)
                self._replica.fetch([self._replica.key(path)])
            finally:
                room.unlink(missing_ok=True)

    def _make_room(self, room: Path, num_bytes: int) -> None:
        """Evict until ``num_bytes`` more fit, and take them: ``room`` is an empty file so long."""
        with self._locked("room"):
            for left in self._rooms():
                with contextlib.suppress(FileNotFoundError):
                    if time.time() - left.stat().st_mtime > STALE_SECONDS:
                        left.unlink()
            self._evict_for(num_bytes)
            room.touch()
            os.truncate(room, num_bytes)

    def _evict_for(self, num_bytes: int) -> None:
        budget = disk_budget(self._root) if self._max_bytes is None else self._max_bytes
        held = self.num_bytes()
        for path in sorted(self._evictable(), key=_used_at):
            if held + num_bytes <= budget:
                break
            held -= _evicted(path)

    def _parts(self) -> Iterator[Path]:
        return self._root.glob("*/part-*.parquet")

    def _rooms(self) -> list[Path]:
        return list(self._root.glob(f"{ROOM}*"))

    def _evictable(self) -> Iterator[Path]:
        # A part gets its index once the storage has it: without one it may be the only copy.
        return (path for path in self._parts() if path.with_name(index_name(path.name)).exists())

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        folder = self._root / LOCKS
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def disk_budget(root: Path) -> int:
    """Return half of the bytes of the disk that are free or that parts have already."""
    root.mkdir(parents=True, exist_ok=True)
    held = sum(_size(path) for path in root.glob("*/part-*.parquet"))
    return int(FREE_SHARE * (shutil.disk_usage(root).free + held))


@contextmanager
def _opened_to_lock(path: Path) -> Iterator[int]:
    """A descriptor for an exclusive lock: over NFS that takes one that may write."""
    handle = os.open(path, os.O_RDWR)
    try:
        yield handle
    finally:
        os.close(handle)


def _shared(path: Path) -> int | None:
    """A descriptor of the part with a shared lock, marked as used now; None if it is not here."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    fcntl.flock(handle, fcntl.LOCK_SH)
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(handle), os.stat(path)):
            os.utime(path, (time.time(), os.fstat(handle).st_mtime))
            return handle
    os.close(handle)  # it was evicted between the two
    return None


def _evicted(path: Path) -> int:
    """Remove the part unless somebody reads it; the bytes that are free now."""
    with (
        contextlib.suppress(BlockingIOError, FileNotFoundError),
        _opened_to_lock(path) as handle,
    ):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = _size(path)
        path.unlink()
        return size
    return 0


def _used_at(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_atime
    return 0.0


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
