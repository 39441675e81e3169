"""Whether forecasts of a search's gain come true, told from its replays."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from raysearch.config.metric_table import metric_of
from raysearch.forecast.course import Course
from raysearch.forecast.gain import LEVEL, RATIOS, Gain, Yardstick, forecast, yardstick
from raysearch.replay import simulation
from raysearch.replay.curve_table import CurveTable
from raysearch.replay.measures import t_interval

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
        interval: of that, 95% over seeds; None for a single one.
        mean_width: of the intervals: 1 is from a table's median run to its best value.
        ratios: how far they looked ahead to the share of those that held.
        tables: table to the share that held on it.
        num_cases: forecasts in all.
    """

    held: float
    interval: tuple[float, float] | None
    mean_width: float
    ratios: Mapping[str, float]
    tables: Mapping[str, float]
    num_cases: int

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        names = ("held", "interval", "mean_width", "ratios", "tables", "num_cases")
        return {"level": LEVEL, **{name: getattr(self, name) for name in names}}


def cases(
    course: simulation.Course, table: CurveTable, budget: float, scheduler: str
) -> Iterator[Case]:
    """Make forecasts at several moments of a replayed search, and compare them with what came.

    Args:
        course: the replayed search.
        table: the curves that it was replayed from.
        budget: the compute that the search had.
        scheduler: the stop rule of the search.

    Yields:
        One case for each forecast whose end the search reached; none where the search was too
        young to forecast.
    """
    whole = Course.of(course.spent, course.numbers, course.values, metric_of(table.objective))
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


def kept(found: Mapping[str, Sequence[Sequence[Case]]]) -> Kept | None:
    """What the cases of each table's searches, one a seed, amount to; ``None`` if there is none."""
    tables = {name: [case for told in seeds for case in told] for name, seeds in found.items()}
    tables = {name: told for name, told in tables.items() if told}
    if not tables:
        return None
    ratios = {
        f"{r:g}": [[c for c in told if c.ratio == r] for told in tables.values()] for r in RATIOS
    }
    seeds = [
        held for told in zip(*found.values(), strict=True) if (held := _held(told)) is not None
    ]
    interval = t_interval(np.array(seeds))
    return Kept(
        _held(tables.values()) or 0.0,
        interval and (interval[0], min(1.0, interval[1])),
        statistics.fmean(statistics.fmean(c.width for c in told) for told in tables.values()),
        {ratio: held for ratio, told in ratios.items() if (held := _held(told)) is not None},
        {name: statistics.fmean(case.held for case in told) for name, told in tables.items()},
        sum(map(len, tables.values())),
    )


def _held(tables: Iterable[Sequence[Case]]) -> float | None:
    """The mean over the tables that have any case of the share that held; None if none has."""
    shares = [statistics.fmean(case.held for case in told) for told in tables if told]
    return statistics.fmean(shares) if shares else None
