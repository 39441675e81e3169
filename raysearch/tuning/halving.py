"""Successive halving that stops, asynchronously, and waits until it can tell trials apart."""

import math
from bisect import insort
from collections.abc import Callable

__all__ = ["PAUSE_SHARE", "STOP_SHARE", "Halving", "Tolerance", "first_rung", "rungs"]

# The first rung as a share of a trial's epochs. Where trials stop, measured on recorded curves, see
# results/reference/stop_rule.md: the earliest at which the best of twelve was never stopped.
STOP_SHARE = 0.2
# Where they only pause: an early rung costs little, for who was misjudged there may yet go on;
# results/reference/search_quality.md has the shares that were compared.
PAUSE_SHARE = 0.05
# val_uar_mean3 looks back over three epochs, and should not see the warm-up any more.
LEAST_EPOCHS = 3
# From one rung to the next the epochs of a trial grow by this.
SPACING = 2

Tolerance = Callable[[float, float], float]


def first_rung(max_epochs: int, grace_epochs: int | None, share: float) -> int:
    """Return the epochs that every trial is given: ``grace_epochs``, or a share of all epochs."""
    wanted = grace_epochs or max(LEAST_EPOCHS, math.ceil(share * max_epochs))
    return min(wanted, max_epochs)


def rungs(max_epochs: int, first: int) -> list[int]:
    """Return the epochs at which trials are compared, from ``first`` to below ``max_epochs``."""
    found = []
    while first < max_epochs:
        found.append(first)
        first *= SPACING
    return found


class Halving:
    """Stops trials by ASHA's asynchronous halving, and waits until it can tell trials apart.

    The rule is that of Li et al. 2020 (arXiv 1810.05934, section 3.3), with two scruples.

    At a rung a trial goes on if it is among the best of those that have reached that rung, one in
    ``reduction_factor`` of them, rounded up. But it also goes on

    - while no more than ``reduction_factor`` trials are in the rung, itself included: the best of
      two or three is chance, and a search of few trials can spare none; and
    - if it lies behind the last that is kept by no more than ``tolerance`` says.

    What it decides depends on the values and on the order in which they come, on nothing else.

    Args:
        max_epochs: the epochs of a whole trial.
        first: the epochs of the first rung; each further rung has twice those of the one before.
        reduction_factor: one trial in this many is kept.
        tolerance: from a trial's value and the cutoff to the difference that means nothing.
    """

    def __init__(
        self, *, max_epochs: int, first: int, reduction_factor: int, tolerance: Tolerance
    ) -> None:
        self._factor, self._tolerance = reduction_factor, tolerance
        self._rungs: dict[int, list[float]] = {epochs: [] for epochs in rungs(max_epochs, first)}

    def take(self, epoch: int, value: float) -> bool:
        """Compare the value that a trial has after ``epoch`` with those of others in its rung.

        Args:
            epoch: epochs of learning; every one of a trial is told, once.
            value: higher is better.

        Returns:
            Whether the trial should stop there.
        """
        rung = self._rungs.get(epoch)
        if rung is None:
            return False
        insort(rung, value)
        if len(rung) <= self._factor:
            return False
        cutoff = rung[-math.ceil(len(rung) / self._factor)]
        return value < cutoff - self._tolerance(value, cutoff)
