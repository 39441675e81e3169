"""Small files that are replaced whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any

__all__ = ["write_json", "write_text"]


def write_text(path: Path, text: str) -> None:
    """Replace ``path``; after a crash it holds what it held before, or all of ``text``.

    Raises:
        OSError: it cannot be written; the error names ``path``, and nothing stays beside it.
    """
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
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


def write_json(path: Path, data: Any) -> None:
    """Replace ``path`` with ``data`` as indented JSON; NaN and infinities are refused."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")
