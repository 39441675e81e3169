"""What replays amount to: regret along the budget, and how soon that of the former default is had.

Axis letters: S seed, T moment (even steps of the budget, from none of it to all), D bootstrap draw.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["MOMENTS", "NUM_STEPS", "Estimate", "Measured", "measure", "t_interval"]

# Shares of the budget at which regret is told.
MOMENTS = (0.1, 0.25, 0.5, 1.0)
# Moments at which others are timed against the former default.
TIMED = (0.25, 0.5, 1.0)
# Even steps of the budget in which regret is followed.
NUM_STEPS = 1000
LEVEL = 0.95
NUM_DRAWS = 1000

Floats = NDArray[np.float64]
# Table to regrets (S, T).
Regrets = Mapping[str, Floats]


@dataclass(frozen=True)
class Estimate:
    """A mean over tables, and what each table has by itself.

    Attributes:
        mean: over tables, of means over seeds.
        interval: 95%, over seeds; the tables are taken as they are. None for a single seed.
        tables: table to its own mean and interval.
        unreached: tables where the regret was not reached with the whole budget; it counts as
            reached then, so the mean is a lower bound.
    """

    mean: float
    interval: tuple[float, float] | None
    tables: Mapping[str, Mapping[str, Any]]
    unreached: Sequence[str] = ()


@dataclass(frozen=True)
class Measured:
    """One rule.

    Attributes:
        regret: share of the budget to regret: 0 is the best of a table, 1 its median run's end.
        epochs_to_present: for such shares, what part of those epochs the rule takes to reach the
            regret that the former default has then; it was the present one when the key was chosen.
    """

    regret: Mapping[str, Estimate]
    epochs_to_present: Mapping[str, Estimate]

    def to_dict(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


def measure(regrets: Regrets, former: Regrets) -> Measured:
    """Of a rule with ``regrets``, beside the ``former`` default's on the same tables and seeds."""
    return Measured(
        {f"{moment:g}": _regret(regrets, moment) for moment in MOMENTS},
        {f"{moment:g}": _catching_up(regrets, former, moment) for moment in TIMED},
    )


def _regret(regrets: Regrets, moment: float) -> Estimate:
    tables = {name: table_ST[:, round(moment * NUM_STEPS)] for name, table_ST in regrets.items()}
    over_tables_S = np.mean(list(tables.values()), axis=0)
    return Estimate(
        float(over_tables_S.mean()),
        t_interval(over_tables_S),
        {
            name: {"mean": float(values_S.mean()), "interval": t_interval(values_S)}
            for name, values_S in tables.items()
        },
    )


def t_interval(values_S: Floats) -> tuple[float, float] | None:
    """95%, of the mean of seeds, none of which is below 0; None for a single one."""
    if len(values_S) < 2:
        return None
    half = stats.t.ppf((1 + LEVEL) / 2, len(values_S) - 1) * stats.sem(values_S)
    return max(0.0, float(values_S.mean() - half)), float(values_S.mean() + half)


def _catching_up(regrets: Regrets, former: Regrets, moment: float) -> Estimate:
    """A percentile interval over seeds, which are redrawn by table and kept paired."""
    rng = np.random.default_rng(0)
    shares, draws, unreached = dict[str, float](), dict[str, Floats](), list[str]()
    for name, table_ST in regrets.items():
        num_seeds = len(table_ST)
        whole_1S = np.full((1, num_seeds), 1 / num_seeds)
        (share,), (reached,) = _shares(whole_1S, table_ST, former[name], moment)
        shares[name] = float(share)
        unreached += [] if reached else [name]
        counts_DS = rng.multinomial(num_seeds, whole_1S[0], size=NUM_DRAWS)
        draws[name], _ = _shares(counts_DS / num_seeds, table_ST, former[name], moment)
    over_tables_D = np.mean(list(draws.values()), axis=0)
    several = all(len(table_ST) > 1 for table_ST in regrets.values())
    return Estimate(
        statistics.fmean(shares.values()),
        _percentiles(over_tables_D) if several else None,
        {
            name: {"mean": share, "interval": _percentiles(draws[name]) if several else None}
            for name, share in shares.items()
        },
        unreached,
    )


def _shares(
    weights_DS: Floats, table_ST: Floats, former_ST: Floats, moment: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """For each weighting of the seeds, what part of the epochs is taken, and if it is reached."""
    at = round(moment * NUM_STEPS)
    targets_D = weights_DS @ former_ST[:, at]
    # Means of equal regrets may differ by a rounding error.
    enough_DT = weights_DS @ table_ST <= targets_D[:, None] + 1e-9
    reached_D = enough_DT.any(axis=1)
    steps_D = np.where(reached_D, enough_DT.argmax(axis=1), NUM_STEPS)
    return steps_D / at, np.asarray(reached_D)


def _percentiles(values_D: Floats) -> tuple[float, float]:
    low, high = np.percentile(values_D, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)
