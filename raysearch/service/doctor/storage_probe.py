"""The driver's side of the storage check: what it writes, and what it finds of the nodes'."""

import contextlib
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from raysearch.errors import RaysearchError
from raysearch.service.doctor.facts import NodeStorage, StoreFacts
from raysearch.storage.objects import ObjectStore, is_url

__all__ = ["StorageProbe", "opened"]

PATIENCE_S = 5.0
LOOK_S = 0.2


class StorageProbe(Protocol):
    """A folder of ours in the storage, in which ``driver`` holds ``token``."""

    facts: StoreFacts
    folder: str
    token: str

    def read(self, name: str) -> str | None:
        """What a node wrote as ``name``."""
        ...


@contextlib.contextmanager
def opened(place: str) -> Iterator[StorageProbe]:
    """The check's folder in ``place``, a folder or URL; removed at the end with all in it.

    What goes wrong is said by ``facts.error``.

    Raises:
        ConfigError: no storage has such a URL.
    """
    folder = f".doctor-{uuid.uuid4().hex[:12]}"
    with _objects(place, folder) if is_url(place) else _files(place, folder) as probe:
        yield probe


def node_storage(probe: StorageProbe, name: str, answer: Mapping[str, Any]) -> NodeStorage:
    """Combine one node's answer with whether what it wrote arrives here."""
    end = time.monotonic() + PATIENCE_S
    back = not answer["error"] and probe.read(name) == name
    while not (back or answer["error"] or not answer["seen"]) and time.monotonic() < end:
        time.sleep(LOOK_S)
        back = probe.read(name) == name
    return NodeStorage(answer["error"], answer["seen"], back, answer["locked_out"])


class _Probe:
    def __init__(self, facts: StoreFacts, folder: str, token: str) -> None:
        self.facts, self.folder, self.token = facts, folder, token

    def read(self, name: str) -> str | None:
        raise NotImplementedError


class _Folder(_Probe):
    def read(self, name: str) -> str | None:
        try:
            return (Path(self.facts.place) / self.folder / name).read_text(encoding="utf-8")
        except OSError:
            return None


class _Objects(_Probe):
    store: ObjectStore

    def read(self, name: str) -> str | None:
        try:
            found = self.store.read(f"{self.folder}/{name}")
        except RaysearchError:
            return None
        return found.data.decode() if found else None


@contextlib.contextmanager
def _files(place: str, folder: str) -> Iterator[StorageProbe]:
    root, token = Path(place).absolute(), uuid.uuid4().hex
    made = [path for path in (root, *root.parents) if not path.exists()]
    with contextlib.ExitStack() as stack:
        try:
            (root / folder).mkdir(parents=True)
            driver = stack.enter_context((root / folder / "driver").open("w"))
            driver.write(token)
            driver.flush()
            os.fsync(driver.fileno())
            fcntl.flock(driver, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stat = os.statvfs(root)
            free = stat.f_bavail * stat.f_frsize / 2**30
            facts = StoreFacts(str(root), free_gib=free)
        except OSError as error:
            facts = StoreFacts(str(root), error=error.strerror)
        try:
            yield _Folder(facts, folder, token)
        finally:
            shutil.rmtree(root / folder, ignore_errors=True)
            for path in made:
                with contextlib.suppress(OSError):  # a node's own file system, or in use by now
                    path.rmdir()


@contextlib.contextmanager
def _objects(place: str, folder: str) -> Iterator[StorageProbe]:
    store, token = ObjectStore(place), uuid.uuid4().hex
    key = f"{folder}/driver"
    try:
        store.check_writable()
        created = store.create(key, token.encode())
        before = datetime.now(UTC)
        again = store.create(key, token.encode())
        facts = StoreFacts(store.url, conditional=bool(created) and again is None)
        written = store.read(key)
        if written is not None:
            clock = (written.modified - before).total_seconds()
            facts = StoreFacts(store.url, conditional=facts.conditional, clock_s=clock)
    except RaysearchError as error:
        facts = StoreFacts(store.url, error=str(error).removeprefix(f"{store.url}: "))
    probe = _Objects(facts, folder, token)
    probe.store = store
    try:
        yield probe
    finally:
        with contextlib.suppress(RaysearchError):
            store.delete(store.keys(folder))
