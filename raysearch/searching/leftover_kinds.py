"""What can be left over in a storage, and what a killed process had staged."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from raysearch.run_lease import is_held
from raysearch.storage.kept_runs import size_of

__all__ = ["Kind", "Leftover", "quiet", "staged_below", "staged_in"]

Kind = Literal["checkpoint", "replaced net", "feature set", "temporary"]
# Whoever writes a staged file, or computes features, has written something since.
QUIET_S = 3600.0
_STAGED = re.compile(r"\..+\.([0-9a-f]{32}|\d+|\d+-\d+)\.tmp|\.(staged|probe)-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Leftover:
    """One file or folder that can go.

    Attributes:
        path: where it lies.
        kind: what it is.
        num_bytes: its size.
    """

    path: Path
    kind: Kind
    num_bytes: int

    @classmethod
    def at(cls, path: Path, kind: Kind) -> "Leftover":
        """What lies at ``path``, measured."""
        return cls(path, kind, size_of(path) if path.is_dir() else path.lstat().st_size)


def staged_in(folder: Path) -> list[Leftover]:
    """What was staged directly in ``folder``, and whose writer is gone."""
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    return _left([folder / name for name in names if _STAGED.fullmatch(name)])


def staged_below(folder: Path) -> list[Leftover]:
    """What was staged anywhere below ``folder``, and whose writer is gone."""
    staged = list[Path]()
    for root, folders, files in os.walk(folder):
        here = [name for name in (*folders, *files) if _STAGED.fullmatch(name)]
        staged += [Path(root, name) for name in sorted(here)]
        folders[:] = [name for name in folders if name not in here]
    return _left(staged)


def quiet(leftover: Leftover) -> bool:
    """Whether nobody has written to it for an hour."""
    newest = max((_changed(path) for path in _with_content(leftover.path)), default=0.0)
    return time.time() - newest > QUIET_S


def _left(paths: list[Path]) -> list[Leftover]:
    found = list[Leftover]()
    for path in paths:
        with suppress(FileNotFoundError):  # its writer has just published it
            found.append(Leftover.at(path, "temporary"))
    return [one for one in found if quiet(one) and not is_held(one.path)]


def _with_content(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        yield from path.rglob("*")


def _changed(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.lstat().st_mtime
    return 0.0
