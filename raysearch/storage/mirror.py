"""Objects kept as files on this machine: many fetched at a time, and only those that changed."""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from raysearch.files import write_json
from raysearch.storage.objects import ObjectStore, Tag

__all__ = ["at_once", "fetch_changed"]

NUM_AT_ONCE = 16
T = TypeVar("T")
R = TypeVar("R")


def at_once(act: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Call ``act`` on many items at a time and return the results; raises the first error."""
    todo = list(items)
    if len(todo) < 2:
        return [act(item) for item in todo]
    with ThreadPoolExecutor(min(NUM_AT_ONCE, len(todo))) as executor:
        return list(executor.map(act, todo))


def fetch_changed(
    objects: ObjectStore,
    tags: Mapping[str, Tag],
    path: Callable[[str], Path],
    record: Path,
) -> list[str]:
    """Bring files up to date with the objects that they stand for.

    Args:
        objects: the storage.
        tags: the wanted keys, and what each object's version is known by.
        path: from a key to its file.
        record: a file that keeps what was fetched, for the next time; without it all is.

    Returns:
        Keys that are gone since they were listed.

    Raises:
        InfrastructureError: the storage cannot be read.
    """
    known = _known(record)
    before = {key: _state(tags[key], path(key)) for key in tags}
    changed = [key for key in tags if before[key] is None or before[key] != known.get(key)]
    there = at_once(lambda key: _fetch(objects, key, path(key)), changed)
    states = {key: _state(tags[key], path(key)) for key in tags}
    if changed or known.keys() != states.keys():
        record.parent.mkdir(parents=True, exist_ok=True)
        write_json(record, states)
    return [key for key, found in zip(changed, there, strict=True) if not found]


def _fetch(objects: ObjectStore, key: str, path: Path) -> bool:
    found = objects.read(key)
    if found is None:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        staged.write_bytes(found.data)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    return True


def _state(tag: Tag, path: Path) -> list[object] | None:
    """The object's version and what its file looks like; ``None`` if either is not known."""
    with contextlib.suppress(OSError):
        stat = path.stat()
        return [*tag, stat.st_size, stat.st_mtime_ns] if any(tag) else None
    return None


def _known(record: Path) -> dict[str, object]:
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(record.read_text(encoding="utf-8"))
        if isinstance(known, dict):
            return {key: state for key, state in known.items() if state is not None}
    return {}
