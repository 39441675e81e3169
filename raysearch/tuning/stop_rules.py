"""Which trial to stop or pause: the base of the rules, and our own ones.

The rules decide from (trial, epoch, best value so far) alone, so a resumed search rebuilds their
rungs by replaying the ledger through the same public methods.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from raysearch.config.metric_table import metric_of
from raysearch.config.stop_rule_table import STOP_RULES
from raysearch.errors import UnknownNameError
from raysearch.tuning.extrapolation import Extrapolation
from raysearch.tuning.halving import PAUSE_SHARE, STOP_SHARE, Halving, Tolerance, first_rung
from raysearch.tuning.promotion import Promotion

__all__ = [
    "Asha",
    "Never",
    "Promote",
    "RuleSettings",
    "StopRule",
    "check_named",
    "rule_class",
    "stop_rule",
]


def _no_difference(value: float, other: float) -> float:
    return 0.0


@dataclass(frozen=True, kw_only=True)
class RuleSettings:
    """What a stop rule is given.

    Attributes:
        max_epochs: the epochs of a whole trial.
        grace_epochs: epochs that every trial is given; ``None``: the rule's share of all.
        reduction_factor: successive halving keeps one trial in this many at each rung.
        tolerance: from a trial's value and the cutoff to the difference that means nothing.
        extrapolation: where trials are promoted, the part of what the last doubling of a trial's
            epochs brought that the next one is expected to bring; they are ranked by that.
        noise: from two of a trial's values to the standard error of their difference.
    """

    max_epochs: int
    grace_epochs: int | None
    reduction_factor: int
    tolerance: Tolerance = _no_difference
    extrapolation: float = 0.0
    noise: Tolerance = _no_difference


class StopRule(ABC):
    """One rule for when trials stop or pause.

    A trial's warm-up does not count: its epochs are those in which it learned at its full rate.

    Attributes:
        settings: what the rule was given.
        first_rung: the epochs of learning that every trial is given.
        promotion: says which of the trials that paused goes on; ``None``: they stop for good.
    """

    grace_share: ClassVar[float] = STOP_SHARE
    """The share of a trial's epochs that every trial is given where ``grace_epochs`` is null."""
    noise_errors: ClassVar[float] = 1.0
    """Standard errors by which a trial may be behind where ``search.noise`` is null."""
    epochs_share: ClassVar[float] = 1.0
    """The part of a trial's epochs that trials take in the mean: ``--dry-run`` reckons by it."""

    def __init__(self, settings: RuleSettings) -> None:
        self.settings = settings
        self.first_rung = first_rung(settings.max_epochs, settings.grace_epochs, self.grace_share)
        self.promotion: Promotion | None = None
        self._taken: dict[int, int] = {}

    @abstractmethod
    def take(self, number: int, epoch: int, value: float) -> bool:
        """Take trial ``number``'s value, and return whether the trial stops or pauses.

        Args:
            number: the trial's.
            epoch: epochs of learning, from 1; every one of a trial is told, once.
            value: the best so far, higher is better.
        """

    def note(self, number: int, epoch: int, value: float) -> None:
        """Take a value of a trial about which nothing is to be decided; arguments as ``take``."""
        self.take(number, epoch, value)

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
        return self.take(number, epoch - warmup, value)

    def record(self, number: int, epoch: int, value: float, *, warmup: int = 0) -> None:
        """Take a value as ``stops`` does, of a trial about which nothing is to be decided."""
        if self._is_new(number, epoch) and epoch > warmup:
            self.note(number, epoch - warmup, value)

    def _is_new(self, number: int, epoch: int) -> bool:
        before = self._taken.get(number, 0)
        self._taken[number] = max(before, epoch)
        return epoch > before


class Asha(StopRule):
    """Asynchronous successive halving that stops trials for good."""

    # As recorded, twelve trials a search (results/reference/stop_rule.md).
    epochs_share = 0.7

    def __init__(self, settings: RuleSettings) -> None:
        super().__init__(settings)
        self._halving = Halving(
            max_epochs=settings.max_epochs,
            first=self.first_rung,
            reduction_factor=settings.reduction_factor,
            tolerance=settings.tolerance,
        )

    def take(self, number: int, epoch: int, value: float) -> bool:
        """Compare the value with those of others in its rung."""
        return self._halving.take(epoch, value)


class Promote(StopRule):
    """Asynchronous successive halving that pauses trials, and promotes them now or later."""

    grace_share = PAUSE_SHARE
    noise_errors = 0.0
    # As reckoned: 3 epochs of 30 for all, 6 for a third of them, 12 for a ninth, 24 for one in 27,
    # and all for one in 81.
    epochs_share = 0.17

    def __init__(self, settings: RuleSettings) -> None:
        super().__init__(settings)
        self._promotion = self.promotion = Promotion(
            max_epochs=settings.max_epochs,
            first=self.first_rung,
            reduction_factor=settings.reduction_factor,
            tolerance=settings.tolerance,
        )
        self._extrapolation = Extrapolation(settings.extrapolation, settings.noise)

    def take(self, number: int, epoch: int, value: float) -> bool:
        """Compare what the trial is expected to reach with the others of its rung."""
        expected = self._extrapolation.take(number, epoch, value)
        return self._promotion.take(number, epoch, value, expected)


class Never(StopRule):
    """Lets every trial train all of its epochs."""

    def take(self, number: int, epoch: int, value: float) -> bool:
        """Stop nobody."""
        return False


def check_named(objective: str, scheduler: str) -> None:
    """Load the metric and the stop rule that a search names, before anything starts.

    Raises:
        UnknownNameError: there is none of that name, or it is of another kind.
    """
    metric_of(objective)
    rule_class(scheduler)


def rule_class(name: str) -> type[StopRule]:
    """Return the class that ``name`` stands for.

    Raises:
        UnknownNameError: there is none of that name, or it is no subclass of ``StopRule``.
    """
    rule = STOP_RULES.load(name)
    if not (isinstance(rule, type) and issubclass(rule, StopRule)):
        raise UnknownNameError(f"stop rule {name!r} is not a subclass of raysearch's StopRule")
    return rule


def stop_rule(name: str, settings: RuleSettings) -> StopRule:
    """Return a rule that has seen no trial yet; raises as ``rule_class``."""
    return rule_class(name)(settings)
