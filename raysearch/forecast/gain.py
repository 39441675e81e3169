"""How much better the best value will be if the same search goes on: an interval of 80%.

A yardstick is taken from the search itself, so that it fits any corpus and metric: how far its
best trial is ahead of the mean of the better half of its trials, and twice what the last stretch
of equal relative length has brought; both promise less the older a search is. From recorded
learning curves it is known how many such yardsticks the gain amounts to in four of five searches;
that is the upper end. The lower end is always 0: on every kind of replayed search at least one in
ten gained next to nothing, so that the shortest interval that holds in 80% begins there. (Split
conformal prediction with a scaled residual: Lei et al., JASA 113, 2018, section 5.2.)
"""

from dataclasses import dataclass

import numpy as np

from raysearch.forecast.course import Course

__all__ = [
    "FURTHEST",
    "LEAST_RUNS",
    "LEAST_TRIALS",
    "LEVEL",
    "RATIOS",
    "YARDSTICKS",
    "Gain",
    "Yardstick",
    "forecast",
    "yardstick",
]

# Of the searches, as many gain no more than the upper end.
LEVEL = 0.8
# Before so many trials have a value, and so many whole runs' epochs are done, nothing is said.
LEAST_TRIALS, LEAST_RUNS = 4, 2
# The most compute that is looked ahead, in parts of what was spent: as much again.
FURTHEST = 1.0

# The lead of the best trial counts as no less and no more than these parts of what is left to gain
# at all: where all trials are equal so far one may still break away, and where most have failed to
# learn a lead says little.
LEAST_LEAD, MOST_LEAD = 0.05, 0.3
LAST_GAINS = 2.0
# The same lead and last gain promise half as much in a search that has done four times the epochs.
AGE_POWER = -0.5

# Further compute in parts of what was spent, and the yardsticks that four of five searches gain no
# more than, by the search's scheduler: one that lets every trial train on has fewer trials to draw
# the best from. By tests/benchmarks/forecast_calibration.py on seven tables of TaskSet (Metz et al.
# 2020, arXiv 2002.11887; 1,000 curves each), with 8 seeds; the median rule, which stops trials, has
# asha's.
RATIOS = (0.1, 0.25, 0.5, 1.0)
YARDSTICKS = {
    "asha": (0.172, 0.643, 1.2, 2.56),
    "median": (0.172, 0.643, 1.2, 2.56),
    "promote": (0.14, 0.438, 0.72, 0.9),
    "none": (0.0612, 0.294, 0.437, 2.5),
}


@dataclass(frozen=True, slots=True)
class Gain:
    """An interval of the gain in the objective's own unit, positive for better."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a gain is measured by.

    Attributes:
        length: in the objective's unit.
        room: what is left to gain at all.
    """

    length: float
    room: float

    def gain(self, times: float) -> Gain:
        """Return the gain from 0 to ``times`` yardsticks, or to ``room`` where that is less."""
        return Gain(0.0, min(times * self.length, self.room))


def forecast(course: Course, ratio: float, max_epochs: int, scheduler: str) -> Gain | None:
    """Forecast how much the best value gains from ``ratio`` times the compute spent so far.

    Args:
        course: the search so far.
        ratio: from 0 to ``FURTHEST``.
        max_epochs: of a whole run.
        scheduler: what stops trials in this search.

    Returns:
        The interval, or ``None`` where there is not enough to look back on, or where the scheduler
        is none of YARDSTICKS.
    """
    measured = yardstick(course, ratio, max_epochs)
    if measured is None or scheduler not in YARDSTICKS:
        return None
    return measured.gain(float(np.interp(ratio, (0.0, *RATIOS), (0.0, *YARDSTICKS[scheduler]))))


def yardstick(course: Course, ratio: float, max_epochs: int) -> Yardstick | None:
    """Return the yardstick by which ``forecast`` measures gains; the arguments are its own."""
    if not 0 <= ratio <= FURTHEST:
        raise ValueError(f"{ratio} of the compute so far: no forecast reaches beyond {FURTHEST}")
    bests = course.bests()
    if len(bests) < LEAST_TRIALS or course.num_epochs < LEAST_RUNS * max_epochs:
        return None
    best = float(bests[0])
    room = abs(course.ideal - best)
    lead = best - float(bests[: (len(bests) + 1) // 2].mean())
    lead = min(max(lead, LEAST_LEAD * room), MOST_LEAD * room)
    before = course.until(course.spent_E[-1] / (1 + ratio)).best()
    last = best - (_first(course) if before is None else before)
    age = (course.num_epochs / max_epochs) ** AGE_POWER
    return Yardstick(age * (lead + LAST_GAINS * last), room)


def _first(course: Course) -> float:
    told = course.values_E[~np.isnan(course.values_E)]
    return float(told[0])
