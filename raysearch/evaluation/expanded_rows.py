"""Rows that stand for recordings: each clean or after a cell, as many a recording as are wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from raysearch.corpora.utterance import Utterance
from raysearch.protocols.groups import hash_order

__all__ = ["ExpandedRow", "after_cells", "clean_rows", "copies_of", "in_order"]


@dataclass(frozen=True, slots=True)
class ExpandedRow:
    """One recording, clean or after a cell, with the label that it is given.

    Attributes:
        utterance: the recording.
        cell: what it went through; empty: nothing.
        emotion: the label.
        copy: tells rows of the same recording and cell apart.
    """

    utterance: Utterance
    cell: str
    emotion: str
    copy: int = 0

    @property
    def name(self) -> str:
        """A name that no other row has."""
        again = f"#{self.copy}" if self.copy else ""
        return f"{self.utterance.id}+{self.cell}{again}"

    @property
    def is_original(self) -> bool:
        """Whether it is the recording itself."""
        return not self.cell and not self.copy


def clean_rows(rows: Sequence[Utterance]) -> list[ExpandedRow]:
    """The recordings themselves, with their own labels."""
    return [ExpandedRow(row, "", row.emotion) for row in rows]


def after_cells(rows: Sequence[ExpandedRow], cells: Sequence[str]) -> list[ExpandedRow]:
    """Each row after each cell."""
    return [replace(row, cell=cell) for row in rows for cell in cells]


def copies_of(rows: Sequence[Utterance], cells: Sequence[str], number: int) -> list[ExpandedRow]:
    """Several rows of each recording, itself first, then what the cells make of it.

    Args:
        rows: the recordings.
        cells: what the further rows go through.
        number: rows of each; beyond the cells they begin again.
    """
    kinds = ("", *cells)
    return [
        replace(row, cell=kinds[place % len(kinds)], copy=place // len(kinds))
        for row in clean_rows(rows)
        for place in range(number)
    ]


def in_order(rows: Sequence[ExpandedRow], salt: str) -> list[ExpandedRow]:
    """The rows in an order that depends on their names and ``salt`` only."""
    by_name = {row.name: row for row in rows}
    return [by_name[name] for name in hash_order(list(by_name), salt)]
