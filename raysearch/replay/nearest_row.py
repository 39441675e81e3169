"""Which recorded row stands for settings that nobody ran."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from raysearch.replay.coordinates import coordinates
from raysearch.replay.curve_table import CurveTable, Row

__all__ = ["Untried"]


class Untried:
    """The rows of ``table`` that no trial of a search has had yet."""

    def __init__(self, table: CurveTable) -> None:
        self._table = table
        self._taken_R = np.zeros(len(table.rows), dtype=bool)
        self._numbers: dict[tuple[Any, ...], int] = {}

    def take(self, values: Mapping[str, object]) -> Row:
        """The nearest row to ``values``, the first of equals; it is tried from now on."""
        point_D = np.array(coordinates(self._table.space, values))
        distances_R = ((self._table.points - point_D) ** 2).sum(axis=1)
        distances_R[self._taken_R] = np.inf
        number = int(distances_R.argmin())
        row = self._table.rows[number]
        self._taken_R[number] = True
        self._numbers[_key(row.config)] = number
        return row

    def number(self, values: Mapping[str, object]) -> int:
        """The row that was last taken of those with these very ``values``."""
        return self._numbers[_key(values)]


def _key(values: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(values.items())
