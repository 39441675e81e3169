"""Which recordings are meant by files, folders, manifests and lists."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from raysearch.corpora.outside_tables import audio_path, check_size, read_table
from raysearch.corpora.parser import walk_audio
from raysearch.errors import MissingPathError

__all__ = ["Recording", "find_recordings"]

_TABLES = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that is to be scored.

    Attributes:
        name: as it was named.
        path: where it is.
        speaker: who speaks, if that was told.
        missing: why there is no such file; empty if there is.
    """

    name: str
    path: Path
    speaker: str = ""
    missing: str = ""


def find_recordings(places: Sequence[str], listed: Iterable[str] = ()) -> list[Recording]:
    """Every recording at ``places``, in order; those of a folder by name.

    A folder stands for the audio files below it, as their names' endings tell, without hidden
    ones. A manifest is a .csv, .tsv or .parquet file with the column ``path``, and ``speaker``
    where that is known; relative paths start at its folder.

    Args:
        places: files, folders and manifests; ``-`` stands for ``listed``.
        listed: one file's name a line.

    Raises:
        MissingPathError: a place that is not there, or a folder without audio.
        ConfigError: a manifest that cannot be read.
    """
    return [found for place in places for found in _at(place, listed)]


def _at(place: str, listed: Iterable[str]) -> Iterator[Recording]:
    if place == "-":
        yield from (_named(name) for line in listed if (name := line.rstrip("\r\n")))
        return
    path = Path(place).expanduser()
    if path.is_dir():
        yield from _below(path)
    elif path.suffix.lower() in _TABLES and path.is_file():
        yield from _of_manifest(path)
    elif path.exists():
        yield Recording(place, path)
    else:
        raise MissingPathError(f"{place}: no such file or folder")


def _named(name: str) -> Recording:
    path = Path(name).expanduser()
    return Recording(name, path, missing="" if path.exists() else "no such file")


def _below(folder: Path) -> Iterator[Recording]:
    found = [item for item in walk_audio(folder) if isinstance(item, Path)]
    if not found:
        raise MissingPathError(f"{folder}: no audio files below it, by their names")
    yield from (Recording(str(path), path) for path in found)


def _of_manifest(manifest: Path) -> Iterator[Recording]:
    check_size(manifest)
    folder = manifest.parent.resolve()
    for row in read_table(manifest, ("path",), ("speaker",)):
        name, speaker = row.cells["path"], row.cells.get("speaker", "")
        try:
            yield Recording(name, audio_path(name, folder, row.place), speaker)
        except MissingPathError as error:
            yield Recording(name, folder / name, speaker, missing=str(error))
