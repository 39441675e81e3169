"""Whether forecasts of a search's gain come true, told from its replays."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raysearch.forecast.course import Course
from raysearch.forecast.gain import LEVEL, RATIOS, Gain, Yardstick, forecast, yardstick
from raysearch.replay import simulation
from raysearch.replay.curve_table import CurveTable

__all__ = ["MOMENTS", "Case", "Kept", "cases", "kept"]

# Shares of the budget at which a forecast is made.
MOMENTS = (0.1, 0.25, 0.5, 0.75)
# Sums of values in another order may differ by a rounding error.
CLOSE = 1e-12


@dataclass(frozen=True, slots=True)
class Case:
    """One forecast, and what came.

    Attributes:
        moment: of the budget, what was spent.
        ratio: how far it looked ahead, in parts of that.
        yardstick: what the gain is measured by.
        forecast: the interval.
        gain: that came.
        scale: of regret on that table, in the objective's unit.
    """

    moment: float
    ratio: float
    yardstick: Yardstick
    forecast: Gain
    gain: float
    scale: float

    @property
    def held(self) -> bool:
        """Whether the gain lies in the interval, its ends included."""
        return self.forecast.low - CLOSE <= self.gain <= self.forecast.high + CLOSE

    @property
    def width(self) -> float:
        """Of the interval, on the scale of regret."""
        return (self.forecast.high - self.forecast.low) / self.scale


@dataclass(frozen=True, slots=True)
class Kept:
    """How good forecasts were; means over tables.

    Attributes:
        held: the share that held.
        mean_width: of the intervals: 1 is from a table's median run to its best value.
        ratios: how far they looked ahead to the share of those that held.
        tables: table to the share that held on it.
        num_cases: forecasts in all.
    """

    held: float
    mean_width: float
    ratios: Mapping[str, float]
    tables: Mapping[str, float]
    num_cases: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        names = ("held", "mean_width", "ratios", "tables", "num_cases")
        return {"level": LEVEL, **{name: getattr(self, name) for name in names}}


def cases(
    course: simulation.Course, table: CurveTable, budget: float, scheduler: str
) -> Iterator[Case]:
    """The forecasts that could be made in a search of ``table`` and be judged within ``budget``.

    ``scheduler`` is what stopped its trials.

    There is none where the search was too young, or was over before.
    """
    loss = table.objective.endswith("loss")
    whole = Course.of(course.spent, course.numbers, course.values, loss=loss)
    for moment in MOMENTS:
        spent = moment * budget
        so_far = whole.until(spent)
        for ratio in RATIOS:
            end = spent * (1 + ratio)
            # A search that had tried every row before then could not go on.
            if end > min(budget, course.spent[-1]) * (1 + CLOSE):
                continue
            interval = forecast(so_far, ratio, table.max_epochs, scheduler)
            measured = yardstick(so_far, ratio, table.max_epochs)
            if interval and measured:
                gain = float(whole.until(end).bests()[0] - so_far.bests()[0])
                scale = table.best - table.middling
                yield Case(moment, ratio, measured, interval, gain, scale)


def kept(found: Mapping[str, Sequence[Case]]) -> Kept | None:
    """What the cases of each table amount to; ``None`` if there is none."""
    told = {name: told for name, told in found.items() if told}
    if not told:
        return None
    by_ratio = {
        f"{ratio:g}": [
            [case.held for case in told if case.ratio == ratio] for told in told.values()
        ]
        for ratio in RATIOS
    }
    return Kept(
        _mean([[case.held for case in cases] for cases in told.values()]),
        _mean([[case.width for case in cases] for cases in told.values()]),
        {ratio: _mean(held) for ratio, held in by_ratio.items() if any(held)},
        {name: _mean([[case.held for case in cases]]) for name, cases in told.items()},
        sum(map(len, told.values())),
    )


def _mean(tables: Sequence[Sequence[float]]) -> float:
    """Over tables that have any, of the mean over each one's."""
    return statistics.fmean(statistics.fmean(values) for values in tables if values)
