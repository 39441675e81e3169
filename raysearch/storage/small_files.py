"""The small files of a run: which they are, and how they are fetched from its storage and sent."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from raysearch.published_folder import MANIFEST
from raysearch.storage.mirror import fetch_changed
from raysearch.storage.replica import Replica
from raysearch.storage.segments import fetch_ledger

__all__ = ["SPEC", "RunSender", "fetch_small"]

# Kept by other means, or of this machine alone.
_NOT_SENT = ("trials.jsonl", "lease.json", "lease.lock", "study.journal")
_OWN_FOLDERS = ("checkpoints", "ledger", "nested", "objects", "pretraining", "steering")
# TensorBoard's, a file a trial: only a driver that adds to them needs those that are there.
_CURVES = "tensorboard"
_FETCHED, _DRAWN = ".fetched.json", ".drawn.json"
SPEC = "spec.yaml"


def fetch_small(replica: Replica, folder: Path, *, curves: bool = False) -> None:
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


def _depth(key: str) -> int:
    return key.split("/").index("ledger")


def _is_small(key: str) -> bool:
    parts = [part for part in key.split("/") if part != "nested"]
    return parts[-1] not in _NOT_SENT and not set(parts[:-1]) & set(_OWN_FOLDERS)


class RunSender:
    """Sends what changed of a run's small files.

    Args:
        folder: the run's.
        replica: what it is sent to; None: a plain folder, of which nothing is sent.
    """

    def __init__(self, folder: Path, replica: Replica | None) -> None:
        self._folder, self._replica = folder, replica
        self._sent: dict[Path, tuple[int, int]] = {}

    def send(self) -> None:
        """Send what changed since the last time, ``spec.yaml`` last: with it a run is there."""
        if self._replica is None:
            return
        changed = {}
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):  # replaced at this moment: next time
                stat = path.stat()
                if self._sent.get(path) != (stat.st_size, stat.st_mtime_ns):
                    changed[path] = (stat.st_size, stat.st_mtime_ns)
        self._replica.send(sorted(changed, key=lambda path: (path.name == SPEC, path)))
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
