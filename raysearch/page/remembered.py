"""A value that is read from files, and read again only once one of them has changed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

__all__ = ["Remembered"]

T = TypeVar("T")
Stamp = tuple[int, int, int]


class Remembered(Generic[T]):
    """Keeps what was read.

    Args:
        read: reads it.
        files: whatever it is read from; they need not be there.
    """

    def __init__(self, read: Callable[[], T], files: Sequence[Path]) -> None:
        self._read, self._files = read, files
        self._kept: tuple[list[Stamp | None], T] | None = None

    def __call__(self) -> T:
        """Return it as the files have it now; raises as reading it does."""
        stamps = [_stamp(path) for path in self._files]
        if self._kept is None or self._kept[0] != stamps:
            self._kept = stamps, self._read()
        return self._kept[1]


def _stamp(path: Path) -> Stamp | None:
    """What changes whenever a file is written or replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
