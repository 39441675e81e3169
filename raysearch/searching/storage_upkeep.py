"""What a storage's folder holds that nothing will read again, and its removal.

Only what is known to be of no use is named: a checkpoint that neither the final model nor a
resumption reads, in a run that is over; nets of a final model that another one has replaced; a
feature set that no run here asks for, which would be computed again; what a killed process had not
yet published. A run that a process holds, and whatever a run's settings name by a path, stay. Runs
count by links, too; nothing is removed by one.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from raysearch.config.loader import read_yaml
from raysearch.errors import RaysearchError, RunExistsError, UserError
from raysearch.paths import why_not
from raysearch.run_folder import RACE, RunFolder
from raysearch.run_lease import RunLease, is_held
from raysearch.searching.leftover_kinds import Leftover, staged_below, staged_in
from raysearch.searching.leftover_nets import leftover_nets
from raysearch.searching.sets_in_use import SetsInUse
from raysearch.searching.storage_folders import StorageFolders

__all__ = ["Leftovers", "find_leftovers", "remove_leftovers"]


@dataclass
class Leftovers:
    """All that can go, and why something was not looked at."""

    found: list[Leftover] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _yes(leftover: Leftover) -> bool:
    """What a process finds in folders that it holds stays as it was found."""
    del leftover
    return True


@dataclass(frozen=True)
class _Corner:
    """A part of the storage.

    Attributes:
        name: for the user.
        owners: the folders of which a process must hold each before it removes anything.
        look: finds what can go.
        may_go: whether what was found still can.
    """

    name: str
    owners: Sequence[Path]
    look: Callable[[], list[Leftover]]
    may_go: Callable[[Leftover], bool] = _yes


def find_leftovers(storage: Path) -> Leftovers:
    """Look through ``storage``; nothing is changed.

    Raises:
        UserError: there is no such folder, or a run's settings cannot be read.
    """
    folders = StorageFolders(storage)
    leftovers, named = Leftovers(notes=_notes(folders)), _named_paths(folders)
    for corner in _corners(storage, folders):
        if any(map(is_held, corner.owners)):
            leftovers.notes.append(_held_note(corner))
            continue
        try:
            found = corner.look()
        except (RaysearchError, OSError) as error:
            leftovers.notes.append(_stays_note(corner, error))
            continue
        leftovers.found += [one for one in found if _may_go(one.path, storage, named)]
    return leftovers


def remove_leftovers(storage: Path) -> Leftovers:
    """Remove what ``find_leftovers`` finds.

    Returns:
        What was removed, and why other things were not.

    Raises:
        UserError: as ``find_leftovers``; or something may not be removed.
    """
    folders = StorageFolders(storage)
    removed, named = Leftovers(notes=_notes(folders)), _named_paths(folders)
    for corner in _corners(storage, folders):
        try:
            if not any(map(is_held, corner.owners)) and not corner.look():
                continue
            with ExitStack() as held:
                for owner in corner.owners:
                    held.enter_context(RunLease.acquire(owner))
                # What was found before nobody else could change it is out of date.
                for one in corner.look():
                    if _may_go(one.path, storage, named) and _remove(one, corner.may_go):
                        removed.found.append(one)
        except RunExistsError:
            removed.notes.append(_held_note(corner))
        except (RaysearchError, OSError) as error:
            removed.notes.append(_stays_note(corner, error))
    return removed


def _notes(folders: StorageFolders) -> list[str]:
    return [f"{folder}: left out: {why}" for folder, why in folders.unread.items()]


def _stays_note(corner: _Corner, error: Exception) -> str:
    why = f"{error.filename}: {why_not(error)}" if isinstance(error, OSError) else error
    return f"{corner.name}: stays as it is: {why}"


def _held_note(corner: _Corner) -> str:
    return f"{corner.name}: stays as it is: a process holds it"


# ---- where to look -------------------------------------------------------------------------------


def _corners(storage: Path, folders: StorageFolders) -> Iterator[_Corner]:
    for folder in folders.own(storage):
        if (folder / RACE).is_file():
            for run in folders.own(folder):
                if run in folders.runs:
                    name = f"{folder.name}/{run.name}"
                    yield _Corner(name, (folder, run), partial(_of_run, run))
        elif folder in folders.runs:
            yield _Corner(folder.name, (folder,), partial(_of_run, folder))
    sets = SetsInUse(storage)
    yield _Corner("feature sets", (), sets.unused, sets.may_go)
    yield _Corner("the storage's own files", (), partial(staged_in, storage))


def _of_run(folder: Path) -> list[Leftover]:
    return [*leftover_nets(RunFolder(folder)), *staged_below(folder)]


# ---- what must stay ------------------------------------------------------------------------------


def _named_paths(folders: StorageFolders) -> list[Path]:
    """The paths that the settings of a run here name, such as the weights that it starts from."""
    return [
        path
        for folder in folders.runs
        for path in _paths_in(read_yaml(RunFolder(folder).spec_file, aliases=True)[0])
    ]


def _paths_in(value: object) -> Iterator[Path]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _paths_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _paths_in(item)
    elif isinstance(value, str) and "/" in value and "://" not in value:
        for part in (value, *value.split(",")):
            with suppress(OSError, ValueError):
                yield Path(part).expanduser().resolve()


def _may_go(path: Path, storage: Path, named: Sequence[Path]) -> bool:
    """Whether it lies below the storage, by no link, and no settings name it or what is in it."""
    here = path.resolve()
    inside = here.is_relative_to(storage.resolve()) and not path.is_symlink()
    kept = any(one.is_relative_to(here) or here.is_relative_to(one) for one in named)
    return inside and here != storage.resolve() and not kept


def _remove(leftover: Leftover, may_go: Callable[[Leftover], bool]) -> bool:
    """Take the name away first: nobody finds half of what was there, whatever happens now.

    Returns:
        Whether it is gone: somebody may have begun to use it.
    """
    path = leftover.path
    gone = path.with_name(f".{path.name.lstrip('.')}.{uuid.uuid4().hex}.tmp")
    try:
        if not may_go(leftover):
            return False
        path.rename(gone)
        # Who began before that found it by its name; who begins now does not.
        with _name_back(gone, path):
            if not may_go(leftover):
                raise UserError(f"{path.name} is in use since")
        if gone.is_dir():
            shutil.rmtree(gone)
        else:
            gone.unlink()
    except FileNotFoundError:
        return False  # somebody else removed it
    except OSError as error:
        raise UserError(f"{path}: cannot be removed: {why_not(error)}") from None
    if leftover.kind in ("checkpoint", "replaced net"):
        with suppress(OSError):  # the trial has others
            path.parent.rmdir()
    return True


@contextmanager
def _name_back(gone: Path, path: Path) -> Iterator[None]:
    """Give ``gone`` its name back where anything goes wrong, unless that is taken meanwhile."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            gone.rename(path)
        raise
