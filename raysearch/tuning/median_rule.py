"""Ray Tune's median rule as a stop rule of ours."""

from dataclasses import dataclass

from ray.tune.schedulers import MedianStoppingRule, TrialScheduler

from raysearch.tuning.stop_rules import RuleSettings, StopRule

__all__ = ["Median"]


@dataclass(frozen=True)
class _Handle:
    """A trial as Ray's schedulers need it: something with an id that stays."""

    trial_id: str


class _Controller:
    """No trial waits here: Ray's rules stop, they never pause one trial for another."""

    def get_live_trials(self) -> list[object]:
        return []


class Median(StopRule):
    """Stops a trial whose best value is below the median of the others' means at that epoch."""

    def __init__(self, settings: RuleSettings) -> None:
        super().__init__(settings)
        self._scheduler = MedianStoppingRule(
            time_attr="epoch", metric="value", mode="max", grace_period=self.first_rung
        )
        self._added: set[int] = set()

    def take(self, number: int, epoch: int, value: float) -> bool:
        """Ask Ray's rule."""
        decision = self._scheduler.on_trial_result(
            _Controller(), self._handle(number), {"epoch": epoch, "value": value}
        )
        return bool(decision == TrialScheduler.STOP)

    def note(self, number: int, epoch: int, value: float) -> None:
        """Tell Ray's rule as of a trial that is complete, which is judged no more."""
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
