"""Paths that somebody wrote: too long, looping, or in another Unicode form than the disk's.

A composed and a decomposed "ü" are different file names to Linux and the same to their reader; an
archive made on a Mac and a table made elsewhere differ in nothing else.
"""

import errno
import os
import unicodedata
from functools import lru_cache
from pathlib import Path

from raysearch.errors import ConfigError

__all__ = ["existing", "is_inner", "is_name", "near_spelling", "shortened", "why_not"]

_MOST_LETTERS = 96
_WHY = {
    errno.ENAMETOOLONG: "its name is longer than a file's may be",
    errno.ELOOP: "it is a link that leads to itself",
    errno.EACCES: "it may not be read: permission denied",
}


def existing(written: str, folder: Path | None = None) -> Path | None:
    """The file or folder that ``written`` means, absolute and without links; None if none is there.

    Args:
        written: a path.
        folder: where a relative one begins, if it was read from a file; by default it is the
            user's own, begins in the working folder, and ``~`` in it is their home.

    Raises:
        ConfigError: it can be no path; the message is one line and holds ``written``.
    """
    try:
        path = Path(written).expanduser() if folder is None else folder / written
        path = path.absolute()
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            other = _spelt_otherwise(path, any_case=False)
            return other.resolve() if other else None
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{shortened(written)!r} is no path to use: {why_not(error)}") from None


def why_not(error: Exception) -> str:
    """Why a path could not be used, in words that say what to do where the system's do not."""
    if isinstance(error, UnicodeEncodeError):
        return "this locale has no such letters in file names; export LC_ALL=C.UTF-8"
    if isinstance(error, OSError):
        return _WHY.get(error.errno or 0) or (error.strerror or str(error)).lower()
    return str(error).lower()


def is_name(text: object) -> bool:
    """Whether ``text``, read from a file, is a single file's name, which leads nowhere else."""
    return isinstance(text, str) and text not in ("", ".", "..") and not set(text) & {"/", "\0"}


def is_inner(text: object) -> bool:
    """Whether ``text``, read from a file, is a relative path that stays below where it begins."""
    return isinstance(text, str) and all(map(is_name, text.split("/")))


def near_spelling(path: Path) -> Path | None:
    """What is there instead of ``path`` if only capitals, or the Unicode form, differ."""
    try:
        return _spelt_otherwise(path.absolute(), any_case=True)
    except (OSError, ValueError):
        return None


def shortened(text: str) -> str:
    """``text``, its middle left out if it is too long to be read in a message."""
    half = _MOST_LETTERS // 2
    return text if len(text) <= _MOST_LETTERS else f"{text[:half]}...{text[-half:]}"


def _key(name: str, any_case: bool) -> str:
    """What names have in common that differ in their Unicode form, or in capitals, too."""
    composed = unicodedata.normalize("NFC", name)
    return composed.casefold() if any_case else composed


def _spelt_otherwise(path: Path, *, any_case: bool) -> Path | None:
    """``path`` with each part as its folder spells it."""
    here = Path(path.anchor)
    for part in path.parts[1:]:
        spelt: str | None = part
        if not os.path.lexists(here / part):
            if not here.is_dir():
                return None
            names = _names(str(here), here.stat().st_mtime_ns, any_case)
            spelt = names.get(_key(part, any_case))
        if spelt is None:
            return None
        here /= spelt
    return here if here.exists() else None


@lru_cache(maxsize=64)
def _names(folder: str, changed_ns: int, any_case: bool) -> dict[str, str]:
    """The names in a folder by what they have in common with others; read anew once it changed."""
    del changed_ns
    return {_key(name, any_case): name for name in sorted(os.listdir(folder))}
