"""How long a refit learns, and what that costs, so that a budget can hold it in reserve.

A refit has no validation rows left to choose an epoch by. Its epochs are those that validation
found: the last epoch that no other beats by more than chance, as a shorter training must be worth
its shortness; then fewer in proportion as there are more rows, so that it takes as many steps. A
trial that was cut short while it was as good as ever tells nothing of its end: its refit has all
the epochs that it would have had.
"""

import math
from dataclasses import dataclass

from raysearch.config.metric_table import metric_of
from raysearch.spec import SearchSpec
from raysearch.trial_records import TrialRecord, Trials
from raysearch.tuning.tolerance import ValidationNoise

__all__ = ["RefitPlan"]

# For the plain model beside it, which takes seconds, and for the files. Without it a final model
# came 1 to 19 seconds after a budget of 240.
PARTNER_S = 8.0


@dataclass(frozen=True)
class RefitPlan:
    """Plans how long a refit learns, and what that costs.

    Attributes:
        spec: the search.
        num_train: rows that a trial learns from.
        num_all: rows that a refit learns from.
        noise: of the validation sets.
    """

    spec: SearchSpec
    num_train: int
    num_all: int
    noise: ValidationNoise

    def epochs(self, record: TrialRecord) -> int:
        """Return the epochs of a refit with the trial's settings."""
        row_share = self.num_train / self.num_all
        return max(1, math.ceil(self._found(record) * row_share - 1e-9))

    def net_seconds(self, record: TrialRecord) -> float:
        """Estimate the seconds that one net of the refit trains on a slot."""
        num_nets = len(self.noise.speakers)  # a trial trains one for each validation set
        an_epoch = record.train_s / max(1, record.last_epoch) / num_nets
        return an_epoch * self.epochs(record) * self.num_all / self.num_train

    def seconds(self, trials: Trials, num_slots: int) -> float:
        """Estimate the wall time of the search's end, if it came now; 0 before the first epoch."""
        if self.spec.search.final not in ("auto", "refit"):
            return 0.0
        ranked = trials.ranked()
        if not ranked:
            return 0.0
        rounds = math.ceil(self.spec.search.final_seeds / max(1, num_slots))
        # The space's own settings may learn beside the best trial's.
        likely = [r for r in ranked if r is ranked[0] or r.is_own]
        return rounds * max(self.net_seconds(record) for record in likely) + PARTNER_S

    def num_seeds(self, record: TrialRecord, num_slots: int, left_s: float | None) -> int:
        """Return how many nets of a refit fit into ``left_s`` seconds; 0 if not even one."""
        wanted = self.spec.search.final_seeds
        if left_s is None:
            return wanted
        # An estimate: a round that is a little short of time is not given up.
        rounds = round(left_s / max(1e-9, self.net_seconds(record)))
        return min(wanted, rounds * num_slots)

    def _found(self, record: TrialRecord) -> int:
        """The last epoch that is as good as the best, as far as chance lets one tell."""
        objective = self.spec.search.objective
        best = record.best_epoch or record.last_epoch
        if record.best_value is None:
            return best
        metric, value = metric_of(objective), record.best_value
        least = value - self.noise.of_difference(value, value, objective)
        good = [
            epoch
            for epoch, entry in record.epochs.items()
            if (found := entry.metrics.get(objective)) is not None and metric.signed(found) >= least
        ]
        found, whole = max(good, default=best), self.spec.training.epochs
        was_cut = record.status != "completed" and record.last_epoch < whole
        return whole if was_cut and found == record.last_epoch else found
