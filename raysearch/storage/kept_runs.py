"""The runs and races of a storage, found by names, sizes and times: no checkpoint is opened."""

import os
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from raysearch.errors import MissingPathError
from raysearch.paths import why_not
from raysearch.run_folder import RACE
from raysearch.run_lease import is_held
from raysearch.storage.object_lease import EXPIRY_S, KEY, is_released
from raysearch.storage.objects import Entry
from raysearch.storage.replica import Replica, replica_of
from raysearch.storage.segments import fetch_ledger

__all__ = ["LEDGER", "SPEC", "KeptRun", "kept_runs", "size_of"]

SPEC, LEDGER = "spec.yaml", "trials.jsonl"


class KeptRun(Protocol):
    """One run or race of a storage, of which files are read one by one."""

    @property
    def name(self) -> str:
        """Its folder's name; of a race's system that of the race before it."""
        ...

    @property
    def num_bytes(self) -> int:
        """What all of its files take."""
        ...

    @property
    def systems(self) -> Sequence["KeptRun"]:
        """The runs of a race; none of a run."""
        ...

    def read(self, file: str) -> bytes | None:
        """Return the content of one of its files; None if there is none."""
        ...

    def changed(self, file: str) -> float:
        """When the file was written last, in seconds since 1970; 0 if there is none."""
        ...

    def is_held(self) -> bool:
        """Whether a living process holds it."""
        ...

    def ledger(self) -> Path:
        """Return its ledger's file on this machine, brought up to date."""
        ...


def kept_runs(storage: Path, note: Callable[[str], None] = lambda line: None) -> list[KeptRun]:
    """Every run and race directly below ``storage``, by name.

    Args:
        storage: the folder, of this machine or of a bucket.
        note: is told which folder could not be looked into, and why.

    Raises:
        MissingPathError: there is no such folder.
        InfrastructureError: the storage cannot be listed.
    """
    if replica := replica_of(storage):
        return list(_in_bucket(replica, replica.key(storage)))
    try:
        folders = sorted(storage.iterdir())
    except OSError as error:
        raise MissingPathError(f"{storage}: no storage: {why_not(error)}") from None
    return [run for folder in folders if (run := _in_folder(folder, note)) is not None]


# ---- a folder ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _FolderRun:
    """A run or race in a plain folder; its attributes are those of ``KeptRun``."""

    name: str
    folder: Path
    num_bytes: int
    systems: Sequence[KeptRun] = ()

    def read(self, file: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return (self.folder / file).read_bytes()
        return None

    def changed(self, file: str) -> float:
        with suppress(OSError):
            return (self.folder / file).stat().st_mtime
        return 0.0

    def is_held(self) -> bool:
        return is_held(self.folder)

    def ledger(self) -> Path:
        return self.folder / LEDGER


def _in_folder(folder: Path, note: Callable[[str], None]) -> KeptRun | None:
    try:
        if (folder / SPEC).is_file():
            return _FolderRun(folder.name, folder, size_of(folder))
        if not (folder / RACE).is_file():
            return None
        systems = [
            _FolderRun(f"{folder.name}/{system.name}", system, 0)
            for system in sorted(folder.iterdir())
            if _is_run(system, note)
        ]
    except OSError as error:
        note(f"{folder}: left out: {why_not(error)}")
        return None
    return _FolderRun(folder.name, folder, size_of(folder), systems)


def _is_run(folder: Path, note: Callable[[str], None]) -> bool:
    try:
        return (folder / SPEC).is_file()
    except OSError as error:
        note(f"{folder}: left out: {why_not(error)}")
        return False


def size_of(folder: Path) -> int:
    """The bytes of all files below; one that has several names counts once."""
    sizes, linked = 0, dict[tuple[int, int], int]()
    for found in _files_below(str(folder)):
        if found.st_nlink > 1:
            linked[found.st_dev, found.st_ino] = found.st_size
        else:
            sizes += found.st_size
    return sizes + sum(linked.values())


def _files_below(folder: str) -> Iterator[os.stat_result]:
    with suppress(OSError), os.scandir(folder) as entries:  # what is removed meanwhile
        for entry in entries:
            with suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    yield from _files_below(entry.path)
                else:
                    yield found


# ---- a bucket ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _BucketRun:
    """A run or race in a store of objects; its attributes are those of ``KeptRun``."""

    name: str
    replica: Replica
    key: str
    entries: Mapping[str, Entry]
    systems: Sequence[KeptRun] = ()

    @property
    def num_bytes(self) -> int:
        return sum(entry.num_bytes for entry in self.entries.values())

    def read(self, file: str) -> bytes | None:
        if file not in self.entries:
            return None
        found = self.replica.objects.read(f"{self.key}/{file}")
        return found.data if found else None

    def changed(self, file: str) -> float:
        if file == LEDGER:
            segments = (e.modified for f, e in self.entries.items() if f.startswith("ledger/"))
            return max(segments, default=0.0)
        entry = self.entries.get(file)
        return entry.modified if entry else 0.0

    def is_held(self) -> bool:
        """Its lease counts by this machine's clock: a listing writes nothing into a store."""
        if time.time() - self.changed(KEY) > EXPIRY_S:
            return False
        return (lease := self.read(KEY)) is not None and not is_released(lease)

    def ledger(self) -> Path:
        path = self.replica.path(self.key) / LEDGER
        if not is_held(path.parent):  # what a driver writes here is newer than its store's
            fetch_ledger(self.replica.objects, self.key, path)
        return path


def _in_bucket(replica: Replica, place: str) -> Iterator[KeptRun]:
    prefix = "" if place == "." else f"{place}/"
    listed = replica.objects.entries(prefix.rstrip("/"))
    by_run = _parted({key.removeprefix(prefix): entry for key, entry in listed.items()})
    for name, entries in sorted(by_run.items()):
        if SPEC in entries:
            yield _BucketRun(name, replica, prefix + name, entries)
        elif RACE in entries:
            systems = [
                _BucketRun(f"{name}/{system}", replica, f"{prefix}{name}/{system}", files)
                for system, files in sorted(_parted(entries).items())
                if SPEC in files
            ]
            yield _BucketRun(name, replica, prefix + name, entries, systems)


def _parted(entries: Mapping[str, Entry]) -> Mapping[str, Mapping[str, Entry]]:
    """The entries by the first part of their keys, which is left out."""
    parted: dict[str, dict[str, Entry]] = defaultdict(dict)
    for key, entry in entries.items():
        first, slash, rest = key.partition("/")
        if slash:
            parted[first][rest] = entry
    return parted
