"""Files as a whole: replaced at once or not at all, and known by their hash."""

import hashlib
import json
import os
import shutil
from pathlib import Path

__all__ = ["link_or_copy", "sha256_of", "write_json", "write_text"]


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str, *, staged: Path | None = None) -> None:
    """Replace ``path``; after a crash it holds what it held before, or all of ``text``.

    Args:
        path: the file.
        text: what it is to hold.
        staged: where the text is written first, in the same folder; by default a hidden name of
            this process.

    Raises:
        OSError: it cannot be written; the error names ``path``, and nothing stays beside it.
    """
    staged = staged or path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with staged.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)
    except OSError as error:
        staged.unlink(missing_ok=True)  # on a full disk it would hold the room
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` the same file once more; a copy on another disk, or one without links."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def write_json(path: Path, data: object) -> None:
    """Replace ``path`` with ``data`` as indented JSON; NaN and infinities are refused."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")
