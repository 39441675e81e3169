"""Decides which trial takes a slot that is free."""

from collections.abc import Set as AbstractSet

from raysearch.trial_records import Trials
from raysearch.tuning.budgets import Budgets
from raysearch.tuning.judge import Judge
from raysearch.tuning.waiting import Waiting

__all__ = ["Turns"]


class Turns:
    """Decides which trial takes a free slot: a lost one, then a promoted one, then a new one.

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
        """Whether no new trial will be proposed."""
        return self._budgets.all_proposed(self._trials)

    @property
    def any_left(self) -> bool:
        """Whether a trial could start now if a slot were free."""
        return not self.all_proposed or bool(self._waiting) or self.promotable() is not None

    @property
    def any_paused(self) -> bool:
        """Whether any trial is paused, so that those in flight may still get it promoted."""
        return bool(self._trials.with_status("paused"))

    def promotable(self) -> int | None:
        """Choose the paused trial that goes on next; None if no trial does.

        Once all trials are proposed and a budget is left, it is the best, though no rule says so.
        """
        last = self.all_proposed
        forced = last and self._budgets.limited
        return self._judge.promoted(self._trials, last=last, forced=forced)

    def avoided(self) -> AbstractSet[int]:
        """Return the slots for which nothing is left, as every waiting trial was lost on them."""
        if not self.all_proposed or self.promotable() is not None:
            return frozenset()
        return self._waiting.avoided()
