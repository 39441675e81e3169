"""Feature sets in a bucket that no run there asks for, and their removal.

Checkpoints need no looking after there: a search removes what it does not need, and objects are
there whole or not at all.
"""

import shutil
import time
import uuid
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from raysearch.errors import RaysearchError
from raysearch.run_folder import RACE, RunFolder
from raysearch.searching.leftover_features import is_unused, used_features
from raysearch.searching.leftover_kinds import QUIET_S, Leftover
from raysearch.searching.storage_upkeep import Leftovers
from raysearch.storage.kept_runs import SPEC
from raysearch.storage.object_lease import EXPIRY_S, KEY, is_released
from raysearch.storage.objects import Entry
from raysearch.storage.replica import Replica
from raysearch.storage.run_storage import fetch_specs
from raysearch.streaming.store import feature_store

__all__ = ["find_in_bucket", "remove_from_bucket"]


def find_in_bucket(replica: Replica) -> Leftovers:
    """Look through the bucket that ``replica`` stands for; nothing there is changed.

    Raises:
        InfrastructureError: it cannot be read.
    """
    leftovers = Leftovers()
    entries = replica.objects.entries("")
    if held := _held(replica, entries):
        leftovers.notes.append(f"feature sets: stay as they are: a process holds {held}")
        return leftovers
    try:
        fetch_specs(replica.root)
        used = used_features(replica.root, [RunFolder(replica.path(run)) for run in _runs(entries)])
    except RaysearchError as error:
        leftovers.notes.append(f"feature sets: stay as they are: {error}")
        return leftovers
    leftovers.found = [
        Leftover(replica.path(key), "feature set", sum(entry.num_bytes for entry in of_set))
        for key, of_set in sorted(_sets(replica, entries).items())
        if is_unused(key.rpartition("/")[2], used)
        and time.time() - max(entry.modified for entry in of_set) > QUIET_S
    ]
    return leftovers


def remove_from_bucket(replica: Replica) -> Leftovers:
    """Remove what ``find_in_bucket`` finds, and its copies on this machine.

    Returns:
        What was removed, and why other things were not.

    Raises:
        InfrastructureError: the bucket cannot be written.
    """
    leftovers, removed = find_in_bucket(replica), Leftovers()
    for one in leftovers.found:
        # Others may have gone for minutes: somebody may have begun to work meanwhile.
        leftovers = find_in_bucket(replica)
        if leftovers.notes:
            break
        if one.path in [left.path for left in leftovers.found]:
            replica.objects.delete(replica.objects.keys(replica.key(one.path)))
            _remove_copy(one.path)
            removed.found.append(one)
    removed.notes = leftovers.notes
    return removed


def _remove_copy(folder: Path) -> None:
    """Remove what was fetched of a set: its name first, so that nobody finds half of it."""
    gone = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
    with suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _held(replica: Replica, entries: Mapping[str, Entry]) -> str | None:
    """A run that a process holds, by this machine's clock."""
    for key, entry in entries.items():
        folder, _, name = key.rpartition("/")
        if name == KEY and time.time() - entry.modified < EXPIRY_S:
            lease = replica.objects.read(key)
            if lease is not None and not is_released(lease.data):
                return folder
    return None


def _runs(entries: Mapping[str, Entry]) -> list[str]:
    """The folders of runs, those of a race's systems too; inner runs ask for nothing else."""
    races = {key.removesuffix(f"/{RACE}") for key in entries if key.endswith(f"/{RACE}")}
    folders = [key.removesuffix(f"/{SPEC}") for key in entries if key.endswith(f"/{SPEC}")]
    return [run for run in folders if "/" not in run or run.rpartition("/")[0] in races]


def _sets(replica: Replica, entries: Mapping[str, Entry]) -> Mapping[str, list[Entry]]:
    """The objects of each feature set, by the set's key."""
    store = replica.key(feature_store(replica.root))
    found: dict[str, list[Entry]] = defaultdict(list)
    for key, entry in entries.items():
        path = Path(key)
        if len(path.parts) == 3 and path.parts[0] == store:
            found[path.parent.as_posix()].append(entry)
    return found
