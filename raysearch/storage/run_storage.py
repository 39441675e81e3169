"""A run's small files, its lease and its ledger, wherever its storage is."""

import contextlib
import socket
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from raysearch.errors import DataError, MissingPathError, RaysearchError, StorageRefusedError
from raysearch.ledger import Ledger, LedgerStore
from raysearch.patience import patiently
from raysearch.run_folder import RACE, RunFolder
from raysearch.run_lease import Lease, RunLease, check_fence, is_held
from raysearch.storage.folders import fetch_folder, forget_folders, send_folder, sweep_folders
from raysearch.storage.mirror import fetch_changed
from raysearch.storage.object_lease import ObjectLease, check_object_fence
from raysearch.storage.objects import ObjectStore, is_url
from raysearch.storage.publication import Publication
from raysearch.storage.replica import Replica, reached_storage, replica_of
from raysearch.storage.segments import SegmentLedger, fetch_ledger
from raysearch.training.checkpoint import MANIFEST

__all__ = [
    "RunSender",
    "acquire_run",
    "ensure_current",
    "existing_run",
    "fetch_published",
    "fetch_run",
    "fetch_specs",
    "fetched_run",
    "forget_published",
    "open_ledger",
    "publication",
    "published_below",
    "send_published",
    "sweep_published",
]

# Kept by other means, or of this machine alone.
_NOT_SENT = ("trials.jsonl", "lease.json", "lease.lock", "study.journal")
_OWN_FOLDERS = ("checkpoints", "ledger", "nested", "objects", "pretraining")
# TensorBoard's, a file a trial: only a driver that adds to them needs those that are there.
_CURVES = "tensorboard"
_FETCHED, _DRAWN = ".fetched.json", ".drawn.json"
SPEC = "spec.yaml"


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
        _fetch(replica, folder)


def _fetch(replica: Replica, folder: Path, *, curves: bool = False) -> None:
    """Fetch what changed of the run, its ``curves`` as well if they will be added to."""
    name = replica.key(folder)
    tags = replica.objects.tags(name)
    small = {key: tag for key, tag in tags.items() if _is_small(key.removeprefix(f"{name}/"))}
    drawn = {key: tag for key, tag in small.items() if f"/{_CURVES}/" in key}
    for wanted, record in ((small.keys() - drawn, _FETCHED), (drawn if curves else (), _DRAWN)):
        if wanted:
            known = {key: small[key] for key in sorted(wanted)}
            fetch_changed(replica.objects, known, replica.path, folder / record)
    inner = {"/".join(key.split("/")[: _depth(key)]) for key in tags if "/ledger/" in key}
    for run in inner:
        fetch_ledger(replica.objects, run, replica.path(run) / "trials.jsonl")


def fetch_specs(folder: Path) -> None:
    """The settings of every run and race of a storage, so that equal ones can be found."""
    if replica := replica_of(folder):
        keys = replica.objects.keys("")
        races = {key.split("/")[0] for key in keys if key.split("/")[1:] == [RACE]}
        replica.fetch(key for key in keys if _is_settings(key.split("/"), races))


def _is_settings(parts: Sequence[str], races: Container[str]) -> bool:
    depth = 3 if parts[0] in races else 2
    return (len(parts) == depth and parts[-1] == SPEC) or parts[1:] == [RACE]


def _depth(key: str) -> int:
    return key.split("/").index("ledger")


def _is_small(key: str) -> bool:
    parts = [part for part in key.split("/") if part != "nested"]
    return parts[-1] not in _NOT_SENT and not set(parts[:-1]) & set(_OWN_FOLDERS)


class RunSender:
    """Sends what changed of a run's small files.

    Args:
        folder: the run's; nothing is sent of a plain folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sent: dict[Path, tuple[int, int]] = {}

    def send(self) -> None:
        """Send what changed since the last time, ``spec.yaml`` last: with it a run is there."""
        replica = replica_of(self._folder)
        if replica is None:
            return
        changed = {}
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):  # replaced at this moment: next time
                stat = path.stat()
                if self._sent.get(path) != (stat.st_size, stat.st_mtime_ns):
                    changed[path] = (stat.st_size, stat.st_mtime_ns)
        replica.send(sorted(changed, key=lambda path: (path.name == SPEC, path)))
        self._sent |= changed

    def _files(self) -> Iterator[Path]:
        for path in self._folder.rglob("*"):
            relative = path.relative_to(self._folder)
            hidden = any(part.startswith(".") for part in relative.parts)
            # Published folders go by themselves, but for a copy of one of them.
            published = (path.parent / MANIFEST).exists() and path.parent.name != "best"
            small = path.is_file() and _is_small(relative.as_posix())
            if small and not hidden and not published:
                yield path


@contextmanager
def acquire_run(folder: Path, say: Callable[[str], None] | None = None) -> Iterator[Lease]:
    """Hold the run for the ``with``: its files are brought up to date, and sent at the end.

    Args:
        folder: the run's.
        say: takes a line for the user; with it, a driver that may be dead is waited for.

    Raises:
        RunExistsError: a living driver holds it.
        InfrastructureError: the storage cannot be reached or written.
    """
    with RunLease.acquire(folder) as local:
        replica = replica_of(folder)
        if replica is None:
            yield local
            return
        with ObjectLease.acquire(replica.objects, replica.key(folder), say=say) as lease:
            _fetch(replica, folder, curves=True)
            try:
                yield lease
            except BaseException:
                with contextlib.suppress(RaysearchError):  # what ended the search is told instead
                    _send_last(folder, lease)
                raise
            _send_last(folder, lease)


def _send_last(folder: Path, lease: Lease) -> None:
    patiently(lease.check, _is_refusal)  # a replaced driver's files are older than its successor's
    patiently(RunSender(folder).send, _is_refusal)


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, StorageRefusedError)


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


def open_ledger(path: Path, fence: int) -> LedgerStore:
    """The ledger at ``path``, kept in its storage as well."""
    replica = replica_of(path)
    if replica is None:
        return Ledger.open(path, fence)
    return SegmentLedger.open(path, fence, replica.objects, replica.key(path.parent))


def send_published(folder: Path) -> None:
    """Send a folder that was just published."""
    if replica := replica_of(folder):
        send_folder(replica.objects, folder, replica.key(folder))


def fetch_published(folder: Path) -> Path:
    """The folder, fetched if it is in its storage and not on this machine."""
    if replica := replica_of(folder):
        fetch_folder(replica.objects, replica.key(folder), folder)
    return folder


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
