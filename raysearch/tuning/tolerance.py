"""How far two trials' validation values may lie apart by chance alone."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raysearch.config.metric_table import metric_of
from raysearch.protocols.splits import Split

__all__ = ["ValidationNoise", "design_effect"]

# Two constants, measured on EMO-DB and nEMO (results/reference/stop_rule.md). Trials that are
# scored on the same rows err on the same rows, so their difference varies less than that of
# independent scores would; this is how their hits correlate.
SHARED = 0.5
# A setting suits one voice better than another: the intraclass correlation, within a speaker, of
# what one trial gets right and another wrong. Of two speakers a set, so no more than its size.
INTRACLASS = 0.01


@dataclass(frozen=True)
class ValidationNoise:
    """Sizes of the validation sets, from which the noise of trials' values follows.

    Attributes:
        counts: for each validation set, the rows of each class that has some.
        speakers: for each validation set, how many speakers it has.
    """

    counts: tuple[tuple[int, ...], ...]
    speakers: tuple[int, ...]

    @classmethod
    def of(cls, splits: Sequence[Split]) -> "ValidationNoise":
        """Count the validation rows of ``splits``; a trial's value is the mean over the splits."""
        sides = [split.validation for split in splits]
        counts = [Counter(row.emotion for row in side) for side in sides]
        return cls(
            tuple(tuple(number for _, number in sorted(count.items())) for count in counts),
            tuple(len({row.speaker for row in side}) for side in sides),
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ValidationNoise":
        """Read what ``to_dict`` gave."""
        counts = tuple(tuple(int(n) for n in one) for one in data["counts"])
        return cls(counts, tuple(int(n) for n in data["speakers"]))

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)

    def of_difference(self, value: float, other: float, objective: str) -> float:
        """Return the standard error of the difference between two trials' values.

        Each metric knows the variance of its value for independent rows of one trial. The
        difference of two trials has twice that, less what trials on the same rows share, times the
        design effect of rows in clusters, one a speaker (Kish 1965, section 5.4). With few
        speakers that is a guess: how much voices differ is not seen in two of them.

        Args:
            value: of one trial, higher is better.
            other: of another.
            objective: what they are values of; a loss counts negative.

        Returns:
            0 where a value is not finite: a trial without a score is behind one with a score.
        """
        if not math.isfinite(value) or not math.isfinite(other):
            return 0.0
        return math.sqrt(2 * (1 - SHARED)) * self.of_value((value + other) / 2, objective)

    def of_value(self, value: float, objective: str) -> float:
        """Return the standard error of one trial's value, reckoned as in ``of_difference``."""
        metric, sets = metric_of(objective), zip(self.counts, self.speakers, strict=True)
        variances = [
            metric.variance(value, counts) * design_effect(sum(counts) / num_speakers)
            for counts, num_speakers in sets
        ]
        # Of a mean over disjoint sets.
        return math.sqrt(sum(variances)) / len(variances)


def design_effect(rows_a_speaker: float) -> float:
    """Return the factor by which a mean's variance grows as rows come from few speakers."""
    return 1 + (rows_a_speaker - 1) * INTRACLASS
