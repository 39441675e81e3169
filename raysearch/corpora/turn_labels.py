"""Label files that name turns of dialogues, a line each: read whole, and held to one another."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from raysearch.corpora.utterance import Ratings
from raysearch.errors import DataError

__all__ = ["TurnLabel", "label_text", "read_turn_labels"]


@dataclass(frozen=True, slots=True)
class TurnLabel:
    """A turn's label and ratings, and the file and line that say so."""

    place: str
    label: str
    ratings: Ratings = ()


def read_turn_labels(
    files: Iterable[Path],
    lines_of: Callable[[Path], Iterator[tuple[str, TurnLabel]]],
    known: Collection[str],
) -> dict[str, TurnLabel]:
    """Read the labels of all turns.

    Args:
        files: that hold them.
        lines_of: gives the turn and what is said of it, of each line of a file that counts.
        known: the labels that there are.

    Returns:
        Turn to label.

    Raises:
        DataError: a label is unknown, or a turn has two.
    """
    labels: dict[str, TurnLabel] = {}
    for path in files:
        for turn, said in lines_of(path):
            if said.label not in known:
                raise DataError(f"{said.place}: unknown label {said.label!r} of turn {turn}")
            before = labels.setdefault(turn, said)
            if before.label != said.label:
                raise DataError(
                    f"{said.place}: turn {turn} is {said.label!r} here and {before.label!r} in"
                    f" {before.place}"
                )
    return labels


def label_text(path: Path, max_bytes: int) -> str:
    """Read a label file; its lines that count are ASCII, raters' comments are not all UTF-8.

    Raises:
        DataError: it is too large, or cannot be read.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise DataError(f"{path}: larger than {max_bytes >> 20} MiB")
        return path.read_text(encoding="latin-1")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
