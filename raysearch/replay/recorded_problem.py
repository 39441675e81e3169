"""A table of recorded curves, as the conductor sees it."""

from collections.abc import Mapping, Sequence

from raysearch.config.search import SearchConfig
from raysearch.config.space import Space
from raysearch.replay.curve_table import CurveTable
from raysearch.replay.nearest_row import Untried
from raysearch.tuning.problem import Given, Setup

__all__ = ["RecordedProblem", "row_number"]


class RecordedProblem:
    """The rows of ``table``; a trial's identity is its row's number.

    Args:
        table: the curves.
        search: how they are searched.
        untried: the rows that are left, which whoever samples takes from as well.
    """

    def __init__(self, table: CurveTable, search: SearchConfig, untried: Untried) -> None:
        self._table, self._search, self._untried = table, search, untried

    @property
    def search(self) -> SearchConfig:
        """How the search goes."""
        return self._search

    @property
    def space(self) -> Space:
        """The table's settings."""
        return self._table.space

    @property
    def max_epochs(self) -> int:
        """The epochs of a whole run."""
        return self._table.max_epochs

    def given(self) -> Sequence[Given]:
        """The rows nearest to what the table's own search tried first."""
        given = self._table.given[: len(self._table.rows)]
        return [Given(one.label, dict(self._untried.take(one.values).config)) for one in given]

    def proposed(self, sampled: Mapping[str, object]) -> dict[str, object]:
        """What was sampled, which is a row's already."""
        return dict(sampled)

    def searched(self, values: Mapping[str, object]) -> dict[str, object]:
        """All of a row's ``values`` are of searched fields."""
        return dict(values)

    def refused(self, values: Mapping[str, object]) -> str | None:
        """None: what was recorded could run."""
        return None

    def identity(self, values: Mapping[str, object]) -> str:
        """The number of the row that was last taken with these ``values``."""
        return f"{self._untried.number(values):012x}"

    def warmup_epochs(self, values: Mapping[str, object]) -> int:
        """As recorded."""
        return self._table.rows[self._untried.number(values)].warmup

    def setup(self, values: Mapping[str, object]) -> Setup:
        """A trial is named by its table; nobody trains it."""
        return Setup(self._table.name, {})


def row_number(identity: str) -> int:
    """The row of a trial of that identity."""
    return int(identity, 16)
