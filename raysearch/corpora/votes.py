"""Several people's votes for one recording's emotion, or a probability of each: soft labels."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace

from raysearch.corpora.dimensions import mean_ratings
from raysearch.corpora.outside_tables import Row
from raysearch.corpora.parser import Entry
from raysearch.corpora.utterance import Dropped, Votes
from raysearch.errors import ConfigError

__all__ = ["counted_votes", "distribution", "labelled", "leading", "read_votes", "united"]

# Shares of a sum differ in their last bits.
_NEAR = 1e-9
_JUDGED = ("emotion", "votes", "ratings")


def read_votes(row: Row, columns: Sequence[str]) -> Votes:
    """The votes, or probabilities, that a row has in ``columns``; an empty cell is 0.

    Returns:
        Without those that are 0; nothing where all cells are empty.

    Raises:
        ConfigError: a cell that is no number or negative, or nothing but zeros; the message names
            file, line and column.
    """
    if not any(row.cells[column] for column in columns):
        return ()
    numbers = {column: _number(row, column) for column in columns}
    if not any(numbers.values()):
        names = ", ".join(repr(column) for column in columns)
        raise ConfigError(
            f"{row.place}: columns {names}: all are 0: leave the cells empty where nobody voted"
        )
    return tuple((column, number) for column, number in sorted(numbers.items()) if number)


def _number(row: Row, column: str) -> float:
    cell = row.cells[column] or "0"
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise ConfigError(
            f"{row.place}: column {column!r} is {cell!r}: votes are numbers from 0 on"
        )
    return number


def counted_votes(labels: Iterable[str]) -> Votes:
    """One vote for each label; empty labels are none."""
    return tuple(sorted((label, float(n)) for label, n in Counter(filter(None, labels)).items()))


def leading(votes: Votes) -> list[str]:
    """The labels that have the most votes: several where they are tied."""
    most = max((number for _, number in votes), default=0.0)
    return [label for label, number in votes if number >= most * (1 - _NEAR)]


def labelled(entry: Entry) -> Entry | Dropped:
    """``entry`` with the majority of its votes as its emotion, unless it has one already.

    Returns:
        The entry; or why it is none, where there are no votes or the most votes are tied.
    """
    if entry.emotion:
        return entry
    leaders = leading(entry.votes)
    if not leaders:
        return Dropped(str(entry.path), "no votes and no emotion")
    if len(leaders) > 1:
        return Dropped(str(entry.path), f"a tie of votes: {', '.join(leaders)}")
    return replace(entry, emotion=leaders[0])


def united(rows: Sequence[tuple[Row, Entry]]) -> Entry:
    """One entry of what several annotators' rows say of a recording, without an emotion yet.

    Args:
        rows: each row, with its column ``annotator``, and what it says.

    Raises:
        ConfigError: an annotator has two rows, or rows differ in what no annotator judges.
    """
    first_row, first = rows[0]
    places: dict[str, str] = {}
    for row, entry in rows:
        annotator = row.cells["annotator"]
        if not annotator:
            raise ConfigError(f"{row.place}: column 'annotator' is empty")
        if annotator in places:
            raise ConfigError(
                f"{row.place}: annotator {annotator!r} has judged {entry.id!r} in"
                f" {places[annotator]} already"
            )
        places[annotator] = row.place
        for name in (one.name for one in fields(entry) if one.name not in _JUDGED):
            here, there = getattr(entry, name), getattr(first, name)
            if here != there:
                raise ConfigError(
                    f"{row.place}: {name} of {entry.id!r} is {here!r} here and {there!r} in"
                    f" {first_row.place}"
                )
    return replace(
        first,
        emotion="",
        votes=counted_votes(entry.emotion for _, entry in rows),
        ratings=mean_ratings([entry.ratings for _, entry in rows]),
    )


def distribution(votes: Votes, emotion: str, labels: Sequence[str]) -> tuple[float, ...]:
    """The share of each of ``labels`` in the votes for any of them.

    Where nobody voted for any of these, the recording's own label has all.
    """
    given = dict(votes)
    shares = [given.get(label, 0.0) for label in labels]
    total = sum(shares)
    if not total:
        return tuple(float(label == emotion) for label in labels)
    return tuple(share / total for share in shares)
