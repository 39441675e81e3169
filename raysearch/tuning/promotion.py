"""Successive halving that pauses: who goes on from a rung, now or later."""

import math
from collections.abc import Collection, Mapping

from raysearch.tuning.halving import Tolerance, rungs

__all__ = ["Promotion"]


class Promotion:
    """Pauses trials at rungs and promotes them, now or later, as ASHA does.

    The rule is that of Li et al. 2020 (arXiv 1810.05934, algorithm 2), with two scruples.

    At a rung a trial goes on if it is among the best of those that have reached that rung, one in
    ``reduction_factor`` of them, rounded down; until it is, it pauses. But it also goes on if it
    lies behind the last of those by less than ``tolerance`` says; and once no further trial is to
    come it is one in so many rounded up, so that the best of each rung goes on and somebody
    reaches the end.

    What it decides depends on the values alone: of equal ones the trial of the lower number is the
    better. Who paused at a rung and has been promoted is in a higher one, or on its way there.

    Args:
        max_epochs: the epochs of a whole trial.
        first: the epochs of the first rung; each further rung has twice those of the one before.
        reduction_factor: one trial in this many goes on.
        tolerance: from a trial's value and the cutoff to the difference that means nothing.
    """

    def __init__(
        self, *, max_epochs: int, first: int, reduction_factor: int, tolerance: Tolerance
    ) -> None:
        self._factor, self._tolerance = reduction_factor, tolerance
        self._rungs: dict[int, dict[int, float]] = {
            epochs: {} for epochs in rungs(max_epochs, first)
        }
        self._last: dict[int, tuple[int, float]] = {}

    def take(self, number: int, epoch: int, value: float, expected: float | None = None) -> bool:
        """Note the value that trial ``number`` has after ``epoch``.

        Args:
            number: the trial's.
            epoch: epochs of learning; every one of a trial is told, once.
            value: higher is better.
            expected: what it is ranked by in its rung; ``None``: by ``value``.

        Returns:
            Whether the trial pauses there.
        """
        rung = self._rungs.get(epoch)
        if rung is None:
            return False
        rung[number] = value if expected is None else expected
        self._last[number] = (epoch, value)
        return not self._goes_on(rung, number, len(rung) // self._factor)

    def next(self, paused: Collection[int], *, last: bool) -> int | None:
        """Choose which of the ``paused`` trials is promoted next, from the highest rung down.

        Args:
            paused: numbers of trials.
            last: whether no further trial is to come.
        """
        for epochs, rung in reversed(self._rungs.items()):
            here = [number for number in paused if self._last.get(number, (0, 0.0))[0] == epochs]
            most = math.ceil(len(rung) / self._factor) if last else len(rung) // self._factor
            if here and self._goes_on(rung, best := _ranked(rung, here)[0], most):
                return best
        return None

    def by_promise(self, paused: Collection[int]) -> list[int]:
        """Sort the ``paused`` trials by their values, the best first, whatever rung they are in."""

        def order(number: int) -> tuple[float, int, int]:
            epochs, value = self._last.get(number, (0, -math.inf))
            return -value, -epochs, number

        return sorted(paused, key=order)

    def held(self, number: int) -> int | None:
        """Return the epochs of the rung where trial ``number`` would pause now."""
        for epochs, rung in self._rungs.items():
            if number in rung and not self._goes_on(rung, number, len(rung) // self._factor):
                return epochs
        return None

    def _goes_on(self, rung: Mapping[int, float], number: int, most: int) -> bool:
        """Whether trial ``number`` is among the best ``most`` of the ``rung``, but for chance."""
        if most == 0:
            return False
        best = _ranked(rung, rung)[:most]
        value, cutoff = rung[number], rung[best[-1]]
        return number in best or cutoff - value < self._tolerance(value, cutoff)


def _ranked(rung: Mapping[int, float], numbers: Collection[int]) -> list[int]:
    return sorted(numbers, key=lambda number: (-rung[number], number))
