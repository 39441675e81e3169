"""Where runs last, behind one interface: a folder, or an object store with a folder before it.

A search is given its storage and asks it alone; evaluations, reports and workers still ask
``storage_of`` a path, as ``run_storage`` does for them. A run is named by its folder on this
machine, which lies below the storage's.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from raysearch.errors import RaysearchError, StorageRefusedError
from raysearch.ledger import Ledger, LedgerStore
from raysearch.patience import patiently
from raysearch.run_lease import Lease, RunLease
from raysearch.storage.folders import fetch_folder, send_folder
from raysearch.storage.object_lease import ObjectLease
from raysearch.storage.replica import Replica, replica_of
from raysearch.storage.segments import SegmentLedger
from raysearch.storage.small_files import RunSender, fetch_small

__all__ = ["LocalStorage", "ObjectStorage", "Storage", "storage_of"]

LEDGER = "trials.jsonl"


class Storage(Protocol):
    """Keeps runs: their leases, ledgers, published folders and small files."""

    @property
    def root(self) -> Path:
        """The folder on this machine: runs lie in it, and features."""
        ...

    def lease(
        self, run: Path, say: Callable[[str], None] | None = None
    ) -> AbstractContextManager[Lease]:
        """Hold the run for a ``with``: its files are brought up to date, and sent at the end.

        Args:
            run: its folder, made if absent.
            say: takes a line for the user; with it, a driver that may be dead is waited for.

        Raises:
            RunExistsError: a living driver holds it.
            InfrastructureError: the storage cannot be reached or written.
        """
        ...

    def ledger(self, run: Path, fence: int) -> LedgerStore:
        """Open the run's ledger for the holder of ``fence``."""
        ...

    def publish(self, folder: Path) -> None:
        """Keep a folder that was just published whole, such as a checkpoint."""
        ...

    def fetch(self, folder: Path) -> Path:
        """Return a published folder, brought to this machine if it is kept and not here yet."""
        ...

    def sync(self, run: Path) -> RunSender:
        """Return what sends the run's small files, whenever it is asked to, if they changed."""
        ...


@dataclass(frozen=True)
class LocalStorage:
    """A folder, of this machine or one that all nodes share: what is written is kept.

    Attributes:
        root: the folder.
    """

    root: Path

    def lease(
        self, run: Path, say: Callable[[str], None] | None = None
    ) -> AbstractContextManager[Lease]:
        """See ``Storage``; a lock that dies with its process needs no waiting."""
        del say
        return RunLease.acquire(run)

    def ledger(self, run: Path, fence: int) -> LedgerStore:
        """See ``Storage``."""
        return Ledger.open(run / LEDGER, fence)

    def publish(self, folder: Path) -> None:
        """Do nothing: the folder lies where it is kept."""

    def fetch(self, folder: Path) -> Path:
        """Return ``folder``: it lies where it is kept."""
        return folder

    def sync(self, run: Path) -> RunSender:
        """Return what sends nothing."""
        return RunSender(run, None)


@dataclass(frozen=True)
class ObjectStorage:
    """A store of objects by URL, and the folder on this machine that is worked in.

    Attributes:
        replica: both.
    """

    replica: Replica

    @property
    def root(self) -> Path:
        """The folder on this machine."""
        return self.replica.root

    @contextmanager
    def lease(self, run: Path, say: Callable[[str], None] | None = None) -> Iterator[Lease]:
        """See ``Storage``; this machine's lock is held as well."""
        objects, key = self.replica.objects, self.replica.key(run)
        with RunLease.acquire(run), ObjectLease.acquire(objects, key, say=say) as lease:
            fetch_small(self.replica, run, curves=True)
            try:
                yield lease
            except BaseException:
                with contextlib.suppress(RaysearchError):  # what ended the search is told instead
                    self._send_last(run, lease)
                raise
            self._send_last(run, lease)

    def ledger(self, run: Path, fence: int) -> LedgerStore:
        """See ``Storage``."""
        path = run / LEDGER
        return SegmentLedger.open(path, fence, self.replica.objects, self.replica.key(run))

    def publish(self, folder: Path) -> None:
        """See ``Storage``."""
        send_folder(self.replica.objects, folder, self.replica.key(folder))

    def fetch(self, folder: Path) -> Path:
        """See ``Storage``."""
        fetch_folder(self.replica.objects, self.replica.key(folder), folder)
        return folder

    def sync(self, run: Path) -> RunSender:
        """See ``Storage``."""
        return RunSender(run, self.replica)

    def _send_last(self, run: Path, lease: Lease) -> None:
        # A replaced driver's files are older than its successor's.
        patiently(lease.check, _is_refusal)
        patiently(self.sync(run).send, _is_refusal)


def storage_of(path: Path) -> Storage:
    """Return the storage that ``path`` lies in, for whoever was given none."""
    replica = replica_of(path)
    return LocalStorage(path) if replica is None else ObjectStorage(replica)


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, StorageRefusedError)
