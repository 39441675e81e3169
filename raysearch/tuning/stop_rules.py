"""Which trial to stop or pause: a rule of our own, or one of Ray Tune's, fed by trial number.

The rules decide from (trial, epoch, best value so far) alone, so a resumed search rebuilds their
rungs by replaying the ledger through the same public methods.
"""

from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import MedianStoppingRule, TrialScheduler

from raysearch.tuning.extrapolation import Extrapolation
from raysearch.tuning.halving import PAUSE_SHARE, STOP_SHARE, Halving, Tolerance, first_rung
from raysearch.tuning.promotion import Promotion

__all__ = ["StopRule"]


@dataclass(frozen=True)
class _Handle:
    """A trial as the schedulers need it: something with an id that stays."""

    trial_id: str


class _Controller:
    """No trial waits here: Ray's rules stop, they never pause one trial for another."""

    def get_live_trials(self) -> list[Any]:
        return []


class _Median:
    """Ray Tune's median rule; it knows trials by their handles."""

    def __init__(self, grace_epochs: int) -> None:
        self._scheduler = MedianStoppingRule(
            time_attr="epoch", metric="value", mode="max", grace_period=grace_epochs
        )
        self._added: set[int] = set()

    def stops(self, number: int, epoch: int, value: float) -> bool:
        decision = self._scheduler.on_trial_result(
            _Controller(), self._handle(number), {"epoch": epoch, "value": value}
        )
        return bool(decision == TrialScheduler.STOP)

    def record(self, number: int, epoch: int, value: float) -> None:
        self._scheduler.on_trial_complete(
            _Controller(), self._handle(number), {"epoch": epoch, "value": value}
        )
        self._added.discard(number)

    def _handle(self, number: int) -> _Handle:
        handle = _Handle(f"{number:04d}")
        if number not in self._added:
            self._added.add(number)
            self._scheduler.on_trial_add(_Controller(), handle)
        return handle


class StopRule:
    """One rule for when trials stop or pause: ``asha``, ``promote``, the median rule, or none.

    A trial's warm-up does not count: its epochs are those in which it learned at its full rate.

    Args:
        kind: ``asha``, ``promote``, ``median`` or ``none``.
        max_epochs: the epochs of a whole trial.
        grace_epochs: epochs that every trial is given; ``None``: a share of all, by the kind.
        reduction_factor: successive halving keeps one trial in this many at each rung.
        tolerance: what difference of two values means nothing to it.
        extrapolation: where trials are promoted, the part of what the last doubling of a trial's
            epochs brought that the next one is expected to bring; they are ranked by that.
        noise: from two of a trial's values to the standard error of their difference.

    Attributes:
        promotion: says which of the trials that paused goes on; ``None``: they stop for good.
    """

    def __init__(
        self,
        kind: str,
        *,
        max_epochs: int,
        grace_epochs: int | None,
        reduction_factor: int,
        tolerance: Tolerance = lambda value, cutoff: 0.0,
        extrapolation: float = 0.0,
        noise: Tolerance = lambda value, other: 0.0,
    ) -> None:
        share = PAUSE_SHARE if kind == "promote" else STOP_SHARE
        first = first_rung(max_epochs, grace_epochs, share)
        self._halving = self._median = None
        self.promotion: Promotion | None = None
        self._extrapolation = Extrapolation(extrapolation, noise)
        shape: dict[str, Any] = {
            "max_epochs": max_epochs,
            "first": first,
            "reduction_factor": reduction_factor,
            "tolerance": tolerance,
        }
        if kind == "asha":
            self._halving = Halving(**shape)
        elif kind == "promote":
            self.promotion = Promotion(**shape)
        elif kind == "median":
            self._median = _Median(first)
        self._taken: dict[int, int] = {}

    def stops(self, number: int, epoch: int, value: float, *, warmup: int = 0) -> bool:
        """Take trial ``number``'s ``value`` after ``epoch``; higher is better.

        An epoch that was taken before, in an attempt that was lost, does not stop it.

        Args:
            number: the trial's.
            epoch: epochs done, those of the warm-up included.
            value: the best so far.
            warmup: how many of the trial's epochs are warm-up.

        Returns:
            Whether the trial should stop or pause there.
        """
        if not self._is_new(number, epoch) or epoch <= warmup:
            return False
        learned = epoch - warmup
        if self._halving:
            return self._halving.take(learned, value)
        if self.promotion:
            expected = self._extrapolation.take(number, learned, value)
            return self.promotion.take(number, learned, value, expected)
        return self._median is not None and self._median.stops(number, learned, value)

    def record(self, number: int, epoch: int, value: float, *, warmup: int = 0) -> None:
        """Take a value as ``stops`` does, of a trial about which nothing is to be decided."""
        if not self._is_new(number, epoch) or epoch <= warmup:
            return
        learned = epoch - warmup
        if self._halving:
            self._halving.take(learned, value)
        if self.promotion:
            expected = self._extrapolation.take(number, learned, value)
            self.promotion.take(number, learned, value, expected)
        if self._median:
            self._median.record(number, learned, value)

    def _is_new(self, number: int, epoch: int) -> bool:
        before = self._taken.get(number, 0)
        self._taken[number] = max(before, epoch)
        return epoch > before
