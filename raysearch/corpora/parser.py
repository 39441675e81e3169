"""What one corpus knows of itself: where it lies, how its files are named, what they mean."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from raysearch.corpora.reader_options import ReaderOptions
from raysearch.corpora.utterance import Dropped, Ratings, Votes
from raysearch.errors import ConfigError, MissingPathError
from raysearch.paths import existing

__all__ = ["CorpusParser", "Entry", "NamedFilesParser", "unknown_code", "walk_audio"]

# Names that may be audio; what a file contains decides later.
_AUDIO_SUFFIXES = frozenset(
    [
        ".wav",
        ".wave",
        ".flac",
        ".aif",
        ".aiff",
        ".aifc",
        ".au",
        ".snd",
        ".caf",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".sph",
        ".rf64",
    ]
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file's labels, before its audio is looked at; fields as in ``Utterance``.

    ``emotion`` is empty only while it is to be found by the votes.
    """

    path: Path
    id: str
    speaker: str
    emotion: str
    text: str | None = None
    session: str | None = None
    sex: str | None = None
    language: str | None = None
    fold: str | None = None
    split: str | None = None
    votes: Votes = ()
    ratings: Ratings = ()


class CorpusParser(ABC):
    """Base of the corpora; a user's own corpus is a subclass named ``package.module:Class``."""

    name: ClassVar[str]
    """The corpus' name in reports and in the feature store."""
    expects: ClassVar[str]
    """What its files look like, for messages."""
    source: ClassVar[str] = "its publisher"
    """Where to get it, and under which licence."""
    licence: ClassVar[str] = ""
    """What a model card says of the licence; empty: that nobody here knows it."""
    fixed_ids: ClassVar[bool] = False
    """Whether its publisher names its utterances, so that a name is one recording everywhere."""
    distributed: ClassVar[bool] = True
    """Whether somebody distributes it, so that its files may lie in any folder."""
    original_rate: ClassVar[int | None] = None
    """Hz of the published recordings: of several copies, the one at this rate is kept."""
    keeps_audio: ClassVar[bool] = False
    """Whether it writes its audio out below the storage, away from where the corpus lies."""
    heeds: ClassVar[tuple[str, ...]] = ()
    """The fields of ``options`` that change what it reads."""
    options: ReaderOptions = ReaderOptions()
    """What the user asked for."""

    def locate(self, data: str | None, storage: Path) -> Path:
        """The folder or file to read, absolute.

        Args:
            data: the user's ``--data``: the corpus' folder, or any folder that holds it.
            storage: where a corpus may keep what it makes.

        Raises:
            ConfigError: no ``data``, or a file where a folder belongs.
            MissingPathError: there is nothing at ``data``.
        """
        del storage
        if data is None:
            raise ConfigError(
                f"corpus {self.name!r} needs --data FOLDER (corpus.data);"
                f" get the corpus from {self.source}"
            )
        root = existing(data)
        if root is None:
            raise MissingPathError(f"--data {data}: no such folder")
        if not root.is_dir():
            raise ConfigError(f"--data {data}: not a folder; {self.name!r} is read from one")
        return root

    @abstractmethod
    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """Every file below ``root``: an entry, or dropped with the reason; no audio is read."""

    def further_columns(self, root: Path) -> tuple[str, ...]:
        """The columns of its table that are no field of an entry; figures may be told by them."""
        del root
        return ()

    def further_cells(
        self, root: Path, columns: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[str, str]]]:
        """The id and the cells of each row of its table, of some of ``further_columns``."""
        del root, columns
        return iter(())

    def recognises(self, path: Path) -> bool:
        """Whether the name of ``path`` is one of this corpus', to hint at a mistaken name."""
        del path
        return False

    def labels_of_name(self, path: Path) -> Entry | None:
        """What the name of ``path`` says, for a list that knows the emotion by other means."""
        del path
        return None


class NamedFilesParser(CorpusParser):
    """Base of the corpora whose labels are in the names of their files."""

    fixed_ids = True

    @abstractmethod
    def entry(self, path: Path) -> Entry | Dropped:
        """What the name of ``path`` says; the file is not opened."""

    def find(self, root: Path) -> Iterator[Entry | Dropped]:
        """Every file below ``root``; the same id may come several times, as copies of one."""
        for found in walk_audio(root):
            yield found if isinstance(found, Dropped) else self.entry(found)

    def recognises(self, path: Path) -> bool:
        """Whether the name of ``path`` is that of an utterance of this corpus."""
        return self.labels_of_name(path) is not None

    def labels_of_name(self, path: Path) -> Entry | None:
        """What the name of ``path`` says, if it is that of an utterance of this corpus."""
        found = self.entry(path)
        return found if isinstance(found, Entry) else None


def unknown_code(path: Path, code: str) -> Dropped:
    """A name that is the corpus' own but for its emotion."""
    return Dropped(str(path), f"unknown emotion code {code!r}")


def walk_audio(root: Path) -> Iterator[Path | Dropped]:
    """Every file below ``root`` in sorted order: a path if it may be audio, dropped otherwise.

    Links are followed only to regular files inside ``root``, so that a corpus from elsewhere
    cannot make the search read the rest of the machine.
    """
    unreadable: list[OSError] = []
    for folder, subfolders, files in os.walk(root, onerror=unreadable.append):
        subfolders.sort()
        for subfolder in subfolders:
            if (link := Path(folder, subfolder)).is_symlink():
                yield Dropped(_printable(link), "a linked folder, not followed")
        for file in sorted(files):
            path = Path(folder, file)
            reason = _stray(path, root)
            yield Dropped(_printable(path), reason) if reason else path
    for error in unreadable:
        yield Dropped(_printable(error.filename), f"a folder that is closed ({error.strerror})")


def _printable(path: str | Path) -> str:
    return os.fsencode(path).decode(errors="replace")


def _stray(path: Path, root: Path) -> str | None:
    if _printable(path) != str(path):
        return "a name that is not UTF-8"
    if path.name.startswith("."):
        return "a hidden file of the operating system"
    if path.suffix.lower() not in _AUDIO_SUFFIXES:
        return "no audio by its name"
    if path.is_symlink():
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return "a link to nothing"
        if not target.is_relative_to(root):
            return "a link that leaves the folder"
    if not path.is_file():
        return "not a regular file"
    return None
