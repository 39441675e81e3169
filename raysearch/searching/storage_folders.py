"""The folders of a storage in which runs may lie, by links too, and those that tell nothing.

A run that was moved to another disk and linked back asks for its feature sets as before.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from raysearch.errors import MissingPathError
from raysearch.paths import why_not
from raysearch.run_folder import RunFolder

__all__ = ["StorageFolders"]


class StorageFolders:
    """What a storage holds now.

    Attributes:
        found: the folders of runs, races and their systems, of inner runs, and of whatever else is
            there.
        runs: those with a run's settings.
        unread: those that may not be looked into, and why.

    Raises:
        MissingPathError: there is no such storage, or it cannot be read.
    """

    def __init__(self, storage: Path) -> None:
        self.found: list[Path] = []
        self.runs: list[Path] = []
        self.unread: dict[Path, str] = {}
        try:
            inside = sorted(storage.iterdir())
        except FileNotFoundError:
            raise MissingPathError(f"{storage}: no such folder") from None
        except OSError as error:
            raise MissingPathError(f"{storage}: cannot be read: {why_not(error)}") from None
        self._add(self._below(self._folders(inside)))

    def own(self, folder: Path) -> Sequence[Path]:
        """Those directly in ``folder`` itself, by no link, that could be looked into."""
        inside = [path for path in self.found if path.parent == folder]
        return [path for path in inside if not path.is_symlink() and path not in self.unread]

    def _below(self, folders: Iterable[Path]) -> Iterator[Path]:
        for folder in folders:
            yield folder
            for inner in self._inside(folder):
                yield inner
                yield from self._inside(inner / "nested")
            if folder not in self.unread:
                yield from self._inside(folder / "nested")

    def _add(self, folders: Iterable[Path]) -> None:
        for folder in folders:
            self.found.append(folder)
            try:
                with RunFolder(folder).spec_file.open("rb"):
                    self.runs.append(folder)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                pass
            except OSError as error:
                self.unread[folder] = why_not(error)

    def _inside(self, folder: Path) -> list[Path]:
        try:
            return self._folders(sorted(folder.iterdir()))
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            self.unread[folder] = why_not(error)
        return []

    def _folders(self, paths: Sequence[Path]) -> list[Path]:
        return [path for path in paths if self._is_folder(path)]

    def _is_folder(self, path: Path) -> bool:
        try:
            return path.is_dir()
        except OSError as error:  # a link into what may not be read
            self.unread[path] = why_not(error)
            return False
