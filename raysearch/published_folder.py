"""Folders that are published whole or not at all.

A folder is staged beside its target, synced, listed with hashes in ``manifest.json`` and
renamed. Staged leftovers of a killed process start with a dot and are never read.
"""

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from raysearch.errors import DataError
from raysearch.files import sha256_of
from raysearch.paths import is_name

__all__ = ["MANIFEST", "former_of", "load_json", "publish", "save_json", "verify"]

MANIFEST = "manifest.json"


def publish(
    folder: Path, write: Callable[[Path], None], *, guard: Callable[[], None] | None = None
) -> None:
    """Make ``folder`` hold what ``write`` writes, or leave it as it was.

    Args:
        folder: the target; what it held before is replaced.
        write: puts plain files, without subfolders, into the empty folder it is given.
        guard: called just before the rename; what it raises stops the publication.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    stage = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    stage.mkdir()
    try:
        write(stage)
        save_json(stage / MANIFEST, {path.name: sha256_of(path) for path in _files(stage)})
        for path in _files(stage):
            _sync(path)
        _sync(stage)
        if guard is not None:
            guard()
        _swap(stage, folder)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise


def verify(folder: Path) -> None:
    """Check every file of a published folder against its manifest.

    A process killed between a replacement's two renames leaves the former folder under its
    second name: it is put back first.

    Raises:
        DataError: no such folder, or a file that is missing or differs.
    """
    former = former_of(folder)
    if former.is_dir() and not folder.exists():
        with contextlib.suppress(FileNotFoundError):  # another rank has just done so
            former.rename(folder)
    manifest = load_json(folder / MANIFEST)
    for name, digest in manifest.items():
        path = folder / name
        if not is_name(name) or not path.is_file():
            raise DataError(f"{folder}: checkpoint file {name!r} is missing")
        if sha256_of(path) != digest:
            raise DataError(f"{path}: does not match its manifest; the checkpoint is damaged")


def former_of(folder: Path) -> Path:
    """Where ``folder`` lies while it is being replaced."""
    return folder.with_name(f".{folder.name}.former")


def save_json(path: Path, value: Mapping[str, object]) -> None:
    """Write ``value`` as JSON.

    Raises:
        ValueError: a NaN or an infinity.
    """
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False), encoding="utf-8")


def load_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``.

    Raises:
        DataError: no such file, or no JSON object in it.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{path}: a JSON object is expected")
    return value


def _swap(stage: Path, folder: Path) -> None:
    former = former_of(folder)
    if folder.exists():
        shutil.rmtree(former, ignore_errors=True)
        folder.rename(former)
    try:
        stage.rename(folder)
    except OSError:
        with contextlib.suppress(OSError):
            former.rename(folder)
        raise
    _sync(folder.parent)
    shutil.rmtree(former, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
