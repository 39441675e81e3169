"""What people rated a recording's emotion on scales: arousal, valence, dominance."""

import math
from collections.abc import Mapping, Sequence

from raysearch.corpora.outside_tables import Row
from raysearch.corpora.utterance import DIMENSIONS, Ratings
from raysearch.errors import ConfigError

__all__ = ["UNLABELLED", "known_ratings", "mean_ratings", "read_ratings"]

# Stands for the emotion of a recording that was rated and has none.
UNLABELLED = "unlabelled"


def read_ratings(row: Row, columns: Sequence[str]) -> Ratings:
    """The numbers that a row has in ``columns``, which are named after dimensions.

    Returns:
        All of them; nothing where all cells are empty.

    Raises:
        ConfigError: a cell that is no finite number, or empty beside one that is not; the message
            names file, line and column.
    """
    filled = [name for name in columns if row.cells[name]]
    if not filled:
        return ()
    if empty := next((name for name in columns if not row.cells[name]), None):
        raise ConfigError(
            f"{row.place}: column {empty!r} is empty beside {filled[0]!r}: fill in all dimensions"
            " of a recording, or none"
        )
    return tuple((name, _number(row, name)) for name in columns)


def _number(row: Row, column: str) -> float:
    number = _finite(row.cells[column])
    if number is None:
        raise ConfigError(
            f"{row.place}: column {column!r} is {row.cells[column]!r}: a number is expected, or"
            " nothing where nobody rated; rename the column if it is something else"
        )
    return number


def _finite(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def known_ratings(written: Mapping[str, str]) -> Ratings:
    """The ratings that a published corpus gives as text, by dimension.

    What is no number is left out: a publisher's gap is no mistake of the user's.
    """
    numbers = {name: _finite(written.get(name, "")) for name in DIMENSIONS}
    return tuple((name, number) for name, number in numbers.items() if number is not None)


def mean_ratings(several: Sequence[Ratings]) -> Ratings:
    """The mean of several people's ratings of one recording; who rated nothing does not count."""
    given = [dict(ratings) for ratings in several if ratings]
    if not given:
        return ()
    return tuple((name, sum(one[name] for one in given) / len(given)) for name in given[0])
