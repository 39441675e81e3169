"""The rows of the leak study's four arms, as many to learn from in each.

- A: expand, then split at random (siblings and speakers on both sides);
- B: split at random, then expand the training side (speakers on both sides);
- C: split by speaker, then expand the training side (honest);
- D: as B, with the labels of training and validation shuffled (chance).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from raysearch.corpora.utterance import Utterance
from raysearch.protocols.groups import hash_order
from raysearch.protocols.splits import Split

__all__ = ["LeakArm", "LeakRow", "arms_of"]

TEST_SHARE, VALIDATION_SHARE = 0.2, 0.16


@dataclass(frozen=True, slots=True)
class LeakRow:
    """One recording, clean or after a cell, with the label that the arm gives it."""

    utterance: Utterance
    cell: str
    emotion: str

    @property
    def name(self) -> str:
        """A name that no other row of the study has."""
        return f"{self.utterance.id}+{self.cell}"


@dataclass(frozen=True, slots=True)
class LeakArm:
    """One way to split a corpus, leaking or not, with its rows.

    Attributes:
        name: ``A`` to ``D``.
        valid: whether its figure may be claimed.
        train: rows to learn from, as many in each arm.
        validation: rows that choose the epoch.
        test: clean originals.
        augmented_test: arm A's own test rows after their cells; empty in the others.
    """

    name: str
    valid: bool
    train: tuple[LeakRow, ...]
    validation: tuple[LeakRow, ...]
    test: tuple[LeakRow, ...]
    augmented_test: tuple[LeakRow, ...] = ()


def arms_of(split: Split, cells: Sequence[str]) -> list[LeakArm]:
    """Split a corpus in the four ways that the study compares.

    A and B are tested on the same originals, so that siblings alone tell them apart: A divides
    the clean rows as B does, and those of each cell by a draw of their own.

    Args:
        split: by speaker, which is arm C; the others divide all of its rows anew.
        cells: what a file is expanded by.
    """
    every = sorted((*split.train, *split.validation, *split.test), key=lambda row: row.id)
    test, validation, train = _at_random(_clean(every))
    drawn = [_at_random(_after(_clean(every), (cell,))) for cell in cells]
    trains = {
        "A": [*train, *(row for _, _, learned in drawn for row in learned)],
        "B": _after(train, ("", *cells)),
        "C": _after(_clean(split.train), ("", *cells)),
        "D": _after(_shuffled(train), ("", *cells)),
    }
    size = min(map(len, trains.values()))
    equal = {
        name: tuple(_in_order(rows, "leak-study rows")[:size]) for name, rows in trains.items()
    }
    held_out = tuple(row for _, chosen, _ in drawn for row in chosen)
    augmented = tuple(row for tested, _, _ in drawn for row in tested)
    by_speaker = tuple(_clean(split.validation)), tuple(_clean(split.test))
    return [
        LeakArm("A", False, equal["A"], (*validation, *held_out), tuple(test), augmented),
        LeakArm("B", False, equal["B"], tuple(validation), tuple(test)),
        LeakArm("C", True, equal["C"], *by_speaker),
        LeakArm("D", False, equal["D"], tuple(_shuffled(validation)), tuple(test)),
    ]


def _clean(rows: Sequence[Utterance]) -> list[LeakRow]:
    return [LeakRow(row, "", row.emotion) for row in rows]


def _after(rows: Sequence[LeakRow], cells: Sequence[str]) -> list[LeakRow]:
    return [replace(row, cell=cell) for row in rows for cell in cells]


def _in_order(rows: Sequence[LeakRow], salt: str) -> list[LeakRow]:
    by_name = {row.name: row for row in rows}
    return [by_name[name] for name in hash_order(list(by_name), salt)]


def _at_random(rows: Sequence[LeakRow]) -> tuple[list[LeakRow], list[LeakRow], list[LeakRow]]:
    """Test, validation and training rows at random, by hash."""
    order = _in_order(rows, "leak-study")
    first = round(TEST_SHARE * len(order))
    second = first + round(VALIDATION_SHARE * len(order))
    return order[:first], order[first:second], order[second:]


def _shuffled(rows: Sequence[LeakRow]) -> list[LeakRow]:
    """The rows' labels in another order."""
    order = _in_order(rows, "leak-study-labels")
    return [replace(row, emotion=other.emotion) for row, other in zip(rows, order, strict=True)]
