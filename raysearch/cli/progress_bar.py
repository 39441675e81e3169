"""The bar of whatever is being counted: its name beside it, or above it where that is too long."""

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

__all__ = ["CountBar"]

# Cells of the bar itself, and of the time that is left with the gaps between the columns.
_LEAST, _MOST, _REST = 12, 40, 12


class CountBar(Progress):
    """One bar, from nothing to ``total``.

    Args:
        console: where to.
        what: what is counted.
        total: how much of it.
    """

    def __init__(self, console: Console, what: str, total: int) -> None:
        counts = 2 * len(str(total)) + 1
        room = console.width - counts - _REST - len(what)
        self._above = "" if room >= _LEAST else what
        if self._above:
            room += len(what)
        super().__init__(
            *([] if self._above else [TextColumn("{task.description}", markup=False)]),
            BarColumn(max(min(room, _MOST), 1)),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self.what = what
        self._task = self.add_task(what, total=total)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The name, if it has a line of its own, and the bar."""
        if self._above:
            yield Text(self._above)
        yield from super().get_renderables()

    def count(self, done: int, total: int) -> None:
        """Draw ``done`` of ``total``."""
        self.update(self._task, completed=done, total=total)
