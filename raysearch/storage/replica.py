"""Storage by URL behind a folder: what is worked on lies here, what must last lies there.

Every machine that takes part keeps a folder for the URL, by the same path; ``storage.json`` in it
says which URL it stands for. Code that is given a path below asks ``replica_of`` whether anything
must be sent or fetched. A plain folder has no such file, and nothing happens.
"""

import errno
import json
import os
import shlex
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from raysearch.config.identity import stable_hash
from raysearch.errors import ConfigError, InfrastructureError, UserError
from raysearch.files import write_json
from raysearch.paths import shortened, why_not
from raysearch.storage.objects import ObjectStore, is_url

__all__ = [
    "Replica",
    "check_writable",
    "display_path",
    "open_storage",
    "pasted",
    "reached_storage",
    "replica_of",
]

MARK = "storage.json"
# Errors of what was asked for, not of the machine.
_NO_FOLDER = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EEXIST)


@dataclass(frozen=True)
class Replica:
    """A local folder that stands for a storage URL.

    Attributes:
        root: the folder on this machine.
        objects: what is kept.
    """

    root: Path
    objects: ObjectStore

    def key(self, path: Path) -> str:
        """The key of what lies at ``path``."""
        return path.absolute().relative_to(self.root).as_posix()

    def path(self, key: str) -> Path:
        """Where the object ``key`` lies on this machine.

        Raises:
            InfrastructureError: a key that leads out of the folder.
        """
        path = self.root / key
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise InfrastructureError(f"{self.objects.url}: the key {key!r} leads out of it")
        return path

    def send(self, paths: Iterable[Path]) -> None:
        """Send files, in this order."""
        for path in paths:
            self.objects.write(self.key(path), path)

    def fetch(self, keys: Iterable[str]) -> None:
        """Fetch objects, each replacing its file whole; a mark of its own says nothing here."""
        for key in keys:
            path = self.path(key)
            if path.name == MARK:
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not by the process' number: machines may share the folder.
            staged = path.with_name(f".staged-{uuid.uuid4().hex}")
            try:
                if not self.objects.download(key, staged):
                    raise InfrastructureError(f"{self.objects.url}/{key}: is gone")
                staged.replace(path)
            finally:
                staged.unlink(missing_ok=True)


def open_storage(text: str) -> Path:
    """The folder to work in for ``--storage text``: itself, or the one that stands for a URL.

    Raises:
        ConfigError: no storage has such a URL.
    """
    if not is_url(text):
        return Path(text)
    objects = ObjectStore(text)
    root = _root_of(objects.url)
    try:
        root.mkdir(parents=True, exist_ok=True)
        write_json(root / MARK, {"url": objects.url})
    except OSError as error:
        raise InfrastructureError(f"{root}: {error.strerror}; set XDG_CACHE_HOME") from error
    return root


def reached_storage(url: str) -> Path:
    """Open a storage as ``open_storage`` does, if its store answers now.

    Raises:
        StorageRefusedError: nothing may be read.
        InfrastructureError: no answer, or an error, within seconds.
    """
    root = open_storage(url)
    if replica := replica_of(root):
        replica.objects.reach()
    return root


def replica_of(path: Path) -> Replica | None:
    """Find the replica that ``path`` is a part of; None for a plain folder."""
    path = path.absolute()
    for folder in (path, *path.parents):
        if (folder / MARK).is_file() and (replica := _replica(folder)):
            return replica
    return None


def _root_of(url: str) -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    return home / "raysearch" / stable_hash(url)


def check_writable(storage: Path) -> None:
    """Put and remove a small file or object in the storage.

    Raises:
        UserError: it may not be written.
        InfrastructureError: it cannot be reached or made.
    """
    if replica := replica_of(storage):
        replica.objects.check_writable()
        return
    probe = storage / f".probe-{uuid.uuid4().hex}"
    try:
        storage.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        kind = UserError if error.errno in _NO_FOLDER else InfrastructureError
        place = shortened(str(storage))
        raise kind(f"{place}: cannot be written: {why_not(error)}") from error


def display_path(path: Path) -> str:
    """Return ``path`` as the user knows it: below a URL where it is kept there."""
    replica = replica_of(path)
    if replica is None:
        return str(path)
    key = replica.key(path)
    return replica.objects.url if key == "." else f"{replica.objects.url}/{key}"


def pasted(path: Path) -> str:
    """Return ``display_path``, quoted so that it can be pasted into a shell."""
    return shlex.quote(display_path(path))


@lru_cache(maxsize=8)
def _replica(root: Path) -> Replica | None:
    """What a mark stands for; None for one that came with somebody's folder.

    It would have that folder's files sent wherever it says.
    """
    try:
        url = json.loads((root / MARK).read_text(encoding="utf-8"))["url"]
        if (root.parent.name, root.name) == ("raysearch", stable_hash(url)):
            return Replica(root, ObjectStore(url))
    except (ValueError, KeyError, TypeError, ConfigError):
        pass
    return None
