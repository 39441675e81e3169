"""What a trial is expected to reach, told from the last doubling of its epochs."""

import math

from raysearch.tuning.halving import Tolerance

__all__ = ["Extrapolation"]

# Replayed on our own runs: with none and with one a search ended worse than without extrapolation
# (results/reference/search_quality.md).
ERRORS = 2.0


class Extrapolation:
    """Follows the curves of a search's trials.

    A curve that nears its limit by a power of the epochs gains in each doubling of them the same
    part of what it gained in the one before (power laws of learning curves: Domhan et al., IJCAI
    2015, section 3.1). So of two trials of one value that which still rises is expected to be
    ahead after as many epochs again. But of a gain only what exceeds ``ERRORS`` standard errors
    counts: among the small validation sets of speech, lucky epochs would be followed otherwise.

    Args:
        part: of the last doubling's gain that the next one brings; 0 expects what was reached.
        noise: from two values of a trial to the standard error of their difference.
    """

    def __init__(self, part: float, noise: Tolerance) -> None:
        self._part, self._noise = part, noise
        self._curves: dict[int, dict[int, float]] = {}

    def take(self, number: int, epoch: int, value: float) -> float:
        """Take the best value that trial ``number`` has had by ``epoch``.

        Args:
            number: the trial's.
            epoch: epochs of learning; those of a trial are told in order.
            value: higher is better.

        Returns:
            The value that is expected after twice the epochs, of odd ones reckoned from half of
            them rounded down; ``value`` itself where there is nothing to go by.
        """
        curve = self._curves.setdefault(number, {})
        curve[epoch] = value
        half: int | None = epoch // 2
        if half not in curve:  # the epochs of its warm-up are not told
            half = max((one for one in curve if 2 * one <= epoch), default=None)
        if half is None or not math.isfinite(curve[half]):
            return value
        noise = ERRORS * self._noise(value, curve[half])
        return value + self._part * max(0.0, value - curve[half] - noise)
