"""Which trial to stop early: Ray Tune's schedulers, fed by trial number instead of by actor.

The schedulers decide from (trial, epoch, best value so far) alone, so a resumed search rebuilds
their rungs by replaying the ledger through the same public methods.
"""

from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import (
    ASHAScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    TrialScheduler,
)

__all__ = ["StopRule"]


@dataclass(frozen=True)
class _Handle:
    """A trial as the schedulers need it: something with an id that stays."""

    trial_id: str


class _Controller:
    """No trial waits here: a stop rule stops, it never pauses one trial for another."""

    def get_live_trials(self) -> list[Any]:
        return []


class StopRule:
    """ASHA (one bracket), the median rule, or none; a higher value is better.

    Args:
        kind: ``asha``, ``median`` or ``none``.
        max_epochs: the epochs of a whole trial.
        grace_epochs: epochs that every trial is given.
        reduction_factor: ASHA keeps one trial in this many at each rung.
    """

    def __init__(
        self, kind: str, *, max_epochs: int, grace_epochs: int, reduction_factor: int
    ) -> None:
        grace = min(grace_epochs, max_epochs)
        self._scheduler: TrialScheduler
        if kind == "asha":
            self._scheduler = ASHAScheduler(
                time_attr="epoch",
                metric="value",
                mode="max",
                max_t=max_epochs,
                grace_period=grace,
                reduction_factor=reduction_factor,
                stop_last_trials=False,
            )
        elif kind == "median":
            self._scheduler = MedianStoppingRule(
                time_attr="epoch", metric="value", mode="max", grace_period=grace
            )
        else:
            self._scheduler = FIFOScheduler()
        self._added: set[int] = set()
        self._taken: dict[int, int] = {}

    def stops(self, number: int, epoch: int, value: float) -> bool:
        """Take trial ``number``'s ``value`` after ``epoch``; whether it should stop there.

        An epoch that was taken before, in an attempt that was lost, does not stop it.
        """
        if not self._is_new(number, epoch):
            return False
        decision = self._scheduler.on_trial_result(
            _Controller(), self._handle(number), {"epoch": epoch, "value": value}
        )
        return bool(decision == TrialScheduler.STOP)

    def record(self, number: int, epoch: int, value: float) -> None:
        """Take trial ``number``'s ``value`` after ``epoch`` where nothing is to be decided."""
        if not self._is_new(number, epoch):
            return
        self._scheduler.on_trial_complete(
            _Controller(), self._handle(number), {"epoch": epoch, "value": value}
        )
        self._added.discard(number)  # ASHA forgets the trial there, though not its values

    def _is_new(self, number: int, epoch: int) -> bool:
        before = self._taken.get(number, 0)
        self._taken[number] = max(before, epoch)
        return epoch > before

    def _handle(self, number: int) -> _Handle:
        handle = _Handle(f"{number:04d}")
        if number not in self._added:
            self._added.add(number)
            self._scheduler.on_trial_add(_Controller(), handle)
        return handle
