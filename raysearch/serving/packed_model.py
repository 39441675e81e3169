"""``best/`` on its way to nodes that do not see the folder: its files, through Ray's own memory."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from raysearch.errors import DataError
from raysearch.paths import is_name

__all__ = ["PackedFiles", "packed", "unpacked"]

PackedFiles = Mapping[str, bytes]


def packed(folder: Path) -> PackedFiles:
    """The content of every file of a ``best/`` folder, by its name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@contextmanager
def unpacked(files: PackedFiles) -> Iterator[Path]:
    """A folder with these files, for as long as the ``with`` lasts.

    Raises:
        DataError: a name that would lead out of it.
    """
    with tempfile.TemporaryDirectory(prefix="raysearch-") as name:
        for file, content in files.items():
            if not is_name(file):
                raise DataError(f"{file!r}: no name of a model's file")
            (Path(name) / file).write_bytes(content)
        yield Path(name)
