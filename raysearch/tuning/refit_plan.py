"""How long a refit learns, and what that costs, so that a budget can hold it in reserve.

A refit has no validation rows left to choose an epoch by. Its epochs are those that validation
found: the last epoch that no other beats by more than the validation rows' own error, as a shorter
training must be worth its shortness; then fewer in proportion as there are more rows, so that it
takes as many steps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from raysearch.spec import SearchSpec
from raysearch.trials import TrialRecord, Trials

__all__ = ["RefitPlan"]


@dataclass(frozen=True)
class RefitPlan:
    """What of the data decides a refit's length.

    Attributes:
        spec: the search.
        num_train: rows that a trial learns from.
        validation_counts: validation rows of each class, over all inner folds.
        num_all: rows that a refit learns from.
        inner_folds: nets of one trial.
    """

    spec: SearchSpec
    num_train: int
    validation_counts: Sequence[int]
    num_all: int
    inner_folds: int = 1

    def epochs(self, record: TrialRecord) -> int:
        """Epochs of a refit of the trial's settings."""
        row_share = self.num_train / self.num_all
        return max(1, math.ceil(self._found(record) * row_share - 1e-9))

    def net_seconds(self, record: TrialRecord) -> float:
        """Seconds that one net of the refit is expected to train on a slot."""
        an_epoch = record.train_s / max(1, record.last_epoch) / self.inner_folds
        return an_epoch * self.epochs(record) * self.num_all / self.num_train

    def seconds(self, trials: Trials, num_slots: int) -> float:
        """Wall time that the end of a search would take now; 0 before the first epoch."""
        if self.spec.search.final not in ("auto", "refit"):
            return 0.0
        ranked = trials.ranked()
        if not ranked:
            return 0.0
        rounds = math.ceil(self.spec.search.final_seeds / max(1, num_slots))
        return rounds * self.net_seconds(ranked[0])

    def num_seeds(self, record: TrialRecord, num_slots: int, left_s: float | None) -> int:
        """Nets of a refit that ``left_s`` seconds of wall time hold; 0 if not even one."""
        wanted = self.spec.search.final_seeds
        if left_s is None:
            return wanted
        # An estimate: a round that is a little short of time is not given up.
        rounds = round(left_s / max(1e-9, self.net_seconds(record)))
        return min(wanted, rounds * num_slots)

    def _found(self, record: TrialRecord) -> int:
        """The last epoch that is as good as the best within the error of the validation rows."""
        objective = self.spec.search.objective
        best = record.best_epoch or record.last_epoch
        value = record.best_value
        if objective == "val_loss" or value is None:
            return best
        least = value - self._error(value)
        return max(
            (
                epoch
                for epoch, entry in record.epochs.items()
                if (found := entry.metrics.get(objective)) is not None and found >= least
            ),
            default=best,
        )

    def _error(self, recall: float) -> float:
        """Standard error of a UA of ``recall``: every class' recall is a mean of so many rows."""
        counts = [count for count in self.validation_counts if count]
        variance = recall * (1 - recall) * sum(1 / count for count in counts)
        return math.sqrt(max(0.0, variance)) / len(counts) if counts else 0.0
