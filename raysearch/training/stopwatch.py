"""Seconds that work takes, without the waits between its pieces."""

import time
from collections.abc import Iterable, Iterator
from typing import Self, TypeVar

__all__ = ["Stopwatch"]

Item = TypeVar("Item")


class Stopwatch:
    """Seconds spent in the body of loops over ``over(...)`` and of ``with`` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def over(self, items: Iterable[Item]) -> Iterator[Item]:
        """``items``; what their consumer does with each counts, fetching the next does not."""
        for item in items:
            with self:
                yield item

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._start
