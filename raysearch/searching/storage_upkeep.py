"""What a storage's folder holds that nothing will read again, and its removal.

Only what is known to be of no use is named: a checkpoint that neither the final model nor a
resumption reads, in a run that is over; nets of a final model that another one has replaced; a
feature set that no run here asks for, which would be computed again; what a killed process had not
yet published. A run that a process holds, and whatever a run's settings name by a path, stay.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from raysearch.config.loader import read_yaml
from raysearch.errors import MissingPathError, RaysearchError, RunExistsError, UserError
from raysearch.paths import why_not
from raysearch.run_folder import RACE, RunFolder
from raysearch.run_lease import RunLease, is_held
from raysearch.searching.leftover_features import unused_features
from raysearch.searching.leftover_kinds import Leftover, quiet, staged_below, staged_in
from raysearch.searching.leftover_nets import leftover_nets
from raysearch.streaming.store import feature_store

__all__ = ["Leftovers", "find_leftovers", "remove_leftovers"]


@dataclass
class Leftovers:
    """All that can go, and why something was not looked at."""

    found: list[Leftover] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Corner:
    """A part of the storage.

    Attributes:
        name: for the user.
        owners: the folders of which a process must hold each before it removes anything.
        look: finds what can go.
    """

    name: str
    owners: Sequence[Path]
    look: Callable[[], list[Leftover]]


def find_leftovers(storage: Path) -> Leftovers:
    """Look through ``storage``; nothing is changed.

    Raises:
        UserError: there is no such folder, or a run's settings cannot be read.
    """
    leftovers, named = Leftovers(), _named_paths(storage)
    for corner in _corners(storage):
        if any(map(is_held, corner.owners)):
            leftovers.notes.append(_held_note(corner))
            continue
        try:
            found = corner.look()
        except RaysearchError as error:
            leftovers.notes.append(f"{corner.name}: stays as it is: {error}")
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
    removed, named = Leftovers(), _named_paths(storage)
    for corner in _corners(storage):
        try:
            if not any(map(is_held, corner.owners)) and not corner.look():
                continue
            with ExitStack() as held:
                for owner in corner.owners:
                    held.enter_context(RunLease.acquire(owner))
                # What was found before nobody else could change it is out of date.
                for one in corner.look():
                    if _may_go(one.path, storage, named):
                        _remove(one)
                        removed.found.append(one)
        except RunExistsError:
            removed.notes.append(_held_note(corner))
        except RaysearchError as error:
            removed.notes.append(f"{corner.name}: stays as it is: {error}")
    return removed


def _held_note(corner: _Corner) -> str:
    return f"{corner.name}: stays as it is: a process holds it"


# ---- where to look -------------------------------------------------------------------------------


def _corners(storage: Path) -> Iterator[_Corner]:
    for folder in _folders(storage):
        if (folder / RACE).is_file():
            for run in filter(_is_run, _folders(folder)):
                yield _Corner(f"{folder.name}/{run.name}", (folder, run), partial(_of_run, run))
        elif _is_run(folder):
            yield _Corner(folder.name, (folder,), partial(_of_run, folder))
    yield _Corner("feature sets", (), partial(_of_features, storage))
    yield _Corner("the storage's own files", (), partial(staged_in, storage))


def _of_run(folder: Path) -> list[Leftover]:
    return [*leftover_nets(RunFolder(folder)), *staged_below(folder)]


def _of_features(storage: Path) -> list[Leftover]:
    """The unused sets; none while anything here is at work, which may read sets of its own."""
    runs = [RunFolder(folder) for folder in _all_folders(storage) if _is_run(folder)]
    if held := next(filter(is_held, _all_folders(storage)), None):
        raise UserError(f"a process holds {held.name}")
    store = feature_store(storage)
    sets = [Leftover.at(path, "feature set") for path in unused_features(storage, runs)]
    return [*filter(quiet, sets), *staged_below(store)]


def _all_folders(storage: Path) -> Iterator[Path]:
    """Those of runs, races and their systems, of inner runs, and of whatever else is there."""
    for folder in _folders(storage):
        yield folder
        for inner in _folders(folder):
            yield inner
            yield from _folders(inner / "nested")
        yield from _folders(folder / "nested")


def _folders(folder: Path) -> list[Path]:
    try:
        found = sorted(folder.iterdir())
    except FileNotFoundError:
        if folder.name == "nested":
            return []
        raise MissingPathError(f"{folder}: no such folder") from None
    except OSError as error:
        raise MissingPathError(f"{folder}: cannot be read: {why_not(error)}") from None
    return [path for path in found if path.is_dir() and not path.is_symlink()]


def _is_run(folder: Path) -> bool:
    return RunFolder(folder).spec_file.is_file()


# ---- what must stay ------------------------------------------------------------------------------


def _named_paths(storage: Path) -> list[Path]:
    """The paths that the settings of a run here name, such as the weights that it starts from."""
    return [
        path
        for folder in _all_folders(storage)
        if _is_run(folder)
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


def _remove(leftover: Leftover) -> None:
    """Take the name away first: nobody finds half of what was there, whatever happens now."""
    path = leftover.path
    gone = path.with_name(f".{path.name.lstrip('.')}.{uuid.uuid4().hex}.tmp")
    try:
        path.rename(gone)
        if gone.is_dir():
            shutil.rmtree(gone)
        else:
            gone.unlink()
    except FileNotFoundError:
        return  # somebody else removed it
    except OSError as error:
        raise UserError(f"{path}: cannot be removed: {why_not(error)}") from None
    if leftover.kind in ("checkpoint", "replaced net"):
        with suppress(OSError):  # the trial has others
            path.parent.rmdir()
