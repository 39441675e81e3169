"""Whole groups of utterances (speakers, sessions, texts) to hold out of training."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from raysearch.corpora.utterance import Utterance
from raysearch.protocols.groups import hash_order
from raysearch.protocols.smallest_set import Units, smallest_set

__all__ = ["Rows", "chosen_groups", "fifth", "whole_groups"]

Rows = Sequence[Utterance]
GroupOf = Callable[[Utterance], str | None]


def whole_groups(
    rows: Rows, group_of: GroupOf, fewest: int, used: frozenset[str] = frozenset()
) -> frozenset[str] | None:
    """The utterances of the smallest set of whole groups; None if no set is allowed.

    Args:
        rows: the training side.
        group_of: a row's group.
        fewest: the least number of groups, where a quarter of them allows it.
        used: ids whose groups may not be taken.
    """
    chosen = chosen_groups(rows, rows, rows, group_of, fewest, used)
    if chosen is None:
        return None
    return frozenset(row.id for row in rows if group_of(row) in chosen)


def chosen_groups(
    rows: Rows,
    gained: Rows,
    lost: Rows,
    group_of: GroupOf,
    fewest: int,
    used: frozenset[str] = frozenset(),
) -> set[str] | None:
    """The names of the smallest set of groups, as ``whole_groups``.

    Args:
        rows: whose groups and classes there are.
        gained: of these, the rows that validation would take.
        lost: of these, the rows that training would lose.
        group_of: a row's group.
        fewest: the least number of groups, where a quarter of them allows it.
        used: ids whose groups may not be taken.
    """
    names = sorted({group_of(row) or "" for row in rows})
    if len(names) < 2:
        return None
    classes = sorted({row.emotion for row in rows})
    taken = {group_of(row) or "" for row in rows if row.id in used}
    units = Units(
        gained_UK=_counts(gained, names, classes, group_of),
        lost_UK=_counts(lost, names, classes, group_of),
        sign_U=np.array(_signs(rows, names, group_of)),
        free_U=np.array([name not in taken for name in names]),
        fewest=fewest,
    )
    members = smallest_set(units)
    return None if members is None else {names[member] for member in members}


def fifth(rows: Rows, group_of: GroupOf, used: Collection[str] = ()) -> frozenset[str]:
    """Whole groups in hash order until a fifth of ``rows`` is reached.

    Training keeps a row of every class. Nothing is given if groups without a row in ``used``
    do not suffice.
    """
    members: dict[str, list[Utterance]] = {}
    for row in rows:
        members.setdefault(group_of(row) or "", []).append(row)
    left = Counter(row.emotion for row in rows)
    target = max(1, len(rows) // 5)
    chosen: set[str] = set()
    for group in hash_order(list(members), "validation"):
        after = left - Counter(row.emotion for row in members[group])
        free = not any(row.id in used for row in members[group])
        # Counter subtraction drops what reaches zero: fewer keys means a class would be lost.
        if free and len(chosen) < target and len(after) == len(left):
            left = after
            chosen.update(row.id for row in members[group])
    return frozenset(chosen) if not used or len(chosen) >= target else frozenset()


def _signs(rows: Rows, names: Sequence[str], group_of: GroupOf) -> list[int]:
    """+1 for a group that is one woman, -1 for one man, 0 for others."""
    speakers_of: dict[str, set[tuple[str, str | None]]] = {name: set() for name in names}
    for row in rows:
        speakers_of[group_of(row) or ""].add((row.speaker, row.sex))
    signs = {"female": 1, "male": -1}
    return [
        signs.get(next(iter(speakers))[1] or "", 0) if len(speakers) == 1 else 0
        for speakers in speakers_of.values()
    ]


def _counts(
    rows: Rows, names: Sequence[str], classes: Sequence[str], group_of: GroupOf
) -> NDArray[np.int64]:
    """Utterances by group and class, (U, K)."""
    place = {name: number for number, name in enumerate(names)}
    column = {name: number for number, name in enumerate(classes)}
    counts_UK = np.zeros((len(names), len(classes)), dtype=np.int64)
    for row in rows:
        counts_UK[place[group_of(row) or ""], column[row.emotion]] += 1
    return counts_UK
