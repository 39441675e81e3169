"""Whose turn it is when a slot is free."""

from collections.abc import Set as AbstractSet

from raysearch.trial_records import Trials
from raysearch.tuning.budgets import Budgets
from raysearch.tuning.judge import Judge
from raysearch.tuning.waiting import Waiting

__all__ = ["Turns"]


class Turns:
    """What was lost comes first, then whoever is promoted, then what is new.

    Args:
        trials: what the ledger amounts to.
        waiting: trials to be started again.
        judge: says who is promoted.
        budgets: of the search.
    """

    def __init__(self, trials: Trials, waiting: Waiting, judge: Judge, budgets: Budgets) -> None:
        self._trials, self._waiting, self._judge, self._budgets = trials, waiting, judge, budgets

    @property
    def all_proposed(self) -> bool:
        """Whether no new trial is to come."""
        return self._budgets.all_proposed(self._trials)

    @property
    def any_left(self) -> bool:
        """Whether a trial could be started now, had it a slot."""
        return not self.all_proposed or bool(self._waiting) or self.promotable() is not None

    @property
    def any_paused(self) -> bool:
        """Whether a trial pauses, so that those in flight may yet let it be promoted."""
        return bool(self._trials.with_status("paused"))

    def promotable(self) -> int | None:
        """The paused trial that goes on next, if any does.

        Once all trials are proposed and a budget is left, it is the best, though no rule says so.
        """
        last = self.all_proposed
        forced = last and self._budgets.limited
        return self._judge.promoted(self._trials, last=last, forced=forced)

    def avoided(self) -> AbstractSet[int]:
        """The slots that nothing is left for: the suspects that wait were lost on them."""
        if not self.all_proposed or self.promotable() is not None:
            return frozenset()
        return self._waiting.avoided()
