"""A run's small files, its lease and its ledger, wherever its storage is."""

import socket
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from raysearch.errors import DataError, MissingPathError
from raysearch.run_folder import RACE, RunFolder
from raysearch.run_lease import Lease, check_fence, is_held
from raysearch.storage.folders import forget_folders, sweep_folders
from raysearch.storage.object_lease import check_object_fence
from raysearch.storage.objects import ObjectStore, is_url
from raysearch.storage.publication import Publication
from raysearch.storage.replica import reached_storage, replica_of
from raysearch.storage.small_files import SPEC, fetch_small
from raysearch.storage.two_kinds import storage_of

__all__ = [
    "acquire_run",
    "ensure_current",
    "existing_run",
    "fetch_published",
    "fetch_run",
    "fetch_specs",
    "fetched_run",
    "forget_published",
    "publication",
    "published_below",
    "send_published",
    "sweep_published",
]


def existing_run(text: str) -> RunFolder:
    """The run at ``text``, a folder or ``URL/name``, as it is now.

    Raises:
        MissingPathError: there is no run.
    """
    if is_url(text):
        return RunFolder.existing(fetched_run(text))
    path = Path(text)
    # The run is known by its folder's name, which "." and ".." do not say.
    return RunFolder.existing(path if path.name not in ("", "..") else path.resolve())


def fetched_run(text: str) -> Path:
    """The folder of the run, or of the race, at ``URL/name``, brought up to date.

    ``URL/RACE/system`` is the run of one system, in the storage of its race.

    Raises:
        MissingPathError: there is none.
    """
    url, _, name = text.rstrip("/").rpartition("/")
    if _is_race(url):
        url, _, race = url.rpartition("/")
        run = RunFolder(reached_storage(url) / race / name)
        fetch_run(run.root.parent)
    else:
        run = RunFolder(reached_storage(url) / name)
        fetch_run(run.root)
    if not run.spec_file.is_file() and not (run.root / RACE).is_file():
        raise MissingPathError(f"{text}: not a run: it has no {SPEC}")
    return run.root


def _is_race(url: str) -> bool:
    objects = ObjectStore(url)
    objects.reach()
    return objects.read(RACE) is not None


def fetch_run(folder: Path) -> None:
    """Bring the small files and the ledger of the run, and of its inner runs, up to date.

    Those that a driver on this machine is writing are newer than what the storage has.
    """
    replica = replica_of(folder)
    if replica and not is_held(folder):
        fetch_small(replica, folder)


def fetch_specs(folder: Path) -> None:
    """The settings of every run and race of a storage, so that equal ones can be found."""
    if replica := replica_of(folder):
        keys = replica.objects.keys("")
        races = {key.split("/")[0] for key in keys if key.split("/")[1:] == [RACE]}
        replica.fetch(key for key in keys if _is_settings(key.split("/"), races))


def _is_settings(parts: Sequence[str], races: Container[str]) -> bool:
    depth = 3 if parts[0] in races else 2
    return (len(parts) == depth and parts[-1] == SPEC) or parts[1:] == [RACE]


def acquire_run(
    folder: Path, say: Callable[[str], None] | None = None
) -> AbstractContextManager[Lease]:
    """Hold the run for a ``with``, as ``Storage.lease`` of its storage does."""
    return storage_of(folder).lease(folder, say)


def ensure_current(folder: Path, fence: int) -> None:
    """Refuse to publish for a driver that has been replaced; see raysearch.run_lease."""
    replica = replica_of(folder)
    if replica is None:
        check_fence(folder, fence)
    else:
        check_object_fence(replica.objects, replica.key(folder), fence)


def publication(folder: Path, lease: Lease) -> Publication:
    """Return what a worker needs to publish into the run's folder."""
    replica = replica_of(folder)
    url = replica.objects.url if replica else None
    return Publication(str(folder.absolute()), lease.fence, url, socket.gethostname())


def send_published(folder: Path) -> None:
    """Send a folder that was just published."""
    storage_of(folder).publish(folder)


def fetch_published(folder: Path) -> Path:
    """The folder, fetched if it is in its storage and not on this machine."""
    return storage_of(folder).fetch(folder)


def published_below(folder: Path) -> list[Path]:
    """The published folders, two levels below, that its storage has; none of a plain folder."""
    replica = replica_of(folder)
    if replica is None:
        return []
    keys = [key for key in replica.objects.keys(replica.key(folder)) if key.endswith(".json")]
    return [replica.path(key.removesuffix(".json")) for key in keys]


def forget_published(folders: Sequence[Path]) -> None:
    """Remove published folders of one run from its storage.

    Raises:
        DataError: a damaged manifest; what does not share its family is removed.
        InfrastructureError: the storage cannot be read or written.
    """
    replica = replica_of(folders[0])
    if replica is None:
        return
    damaged = list[DataError]()
    for family in sorted({folder.parent for folder in folders}):
        names = [folder.name for folder in folders if folder.parent == family]
        try:
            forget_folders(replica.objects, replica.key(family), names)
        except DataError as error:
            damaged.append(error)
    if damaged:
        raise damaged[0]


def sweep_published(folder: Path, kept: Iterable[Path]) -> None:
    """Remove the published folders two levels below from their storage, but for ``kept``."""
    if replica := replica_of(folder):
        sweep_folders(replica.objects, replica.key(folder), {replica.key(path) for path in kept})
