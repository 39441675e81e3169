"""Which interval and which test hold for speakers who share a model by folds? A simulation.

    python tests/benchmarks/statistics_simulation.py --json OUT.json --output OUT.md

Each cell is a number of speakers, folds of a size, the folds' share of the variance, a number of
trainings, and normal or skewed values. Cells that the JSON file has are not made again.

Axis letters: R made evaluation, S speaker, F fold.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from scipy import special
from statistics_candidates import (
    BENDS,
    INTERVALS,
    RESAMPLED,
    TESTS,
    by_folds_bent,
    rejections,
)
from statistics_text import markdown

SPEAKERS = (4, 6, 8, 10, 16, 24, 48)
FOLDS = ("1 a fold", "2 a fold", "4 a fold", "5 folds")
SHARES = (0.0, 0.25, 0.5)
SEEDS = (1, 3)
DATA = ("normal", "skewed")
NUM_MADE, NUM_RESAMPLED = 2000, 500
# Of a fold's variance, the part that another training of the same rows would change.
OF_TRAINING = 0.5
# Skewed: log-odds of being right have this mean and deviation, so speakers are near 100%.
MEAN, DEVIATION = 3.0, 1.2
# Skewed values are right answers out of so many, about as many as EMO-DB has of a speaker.
NUM_UTTERANCES = 50
# Of the speakers' variance, the part that both systems have: some speakers are hard for all.
IN_COMMON = 0.5


@dataclass
class Cell:
    """One kind of evaluation, and how often each candidate was wrong or found the difference."""

    speakers: int
    folds: str
    share: float
    seeds: int
    data: str
    num_folds: int = 0
    missed_mean: dict[str, float] = field(default_factory=dict)
    missed_difference: dict[str, float] = field(default_factory=dict)
    false_alarm: dict[str, float] = field(default_factory=dict)
    power: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[int, str, float, int, str]:
        """What tells it from the other cells."""
        return self.speakers, self.folds, self.share, self.seeds, self.data


def cells() -> Iterator[Cell]:
    """All kinds of evaluations that have two folds or more."""
    for speakers in SPEAKERS:
        for folds in FOLDS:
            if folds == "5 folds" and speakers < 5:
                continue
            fold_S = folds_of(speakers, folds)
            if fold_S.max() < 1:
                continue
            for share in SHARES:
                for seeds in SEEDS:
                    for data in DATA:
                        yield Cell(speakers, folds, share, seeds, data, int(fold_S.max()) + 1)


def folds_of(speakers: int, folds: str) -> np.ndarray:
    """Each speaker's fold; five folds may differ by one in size."""
    number, rest = folds.split(maxsplit=1)
    each = np.arange(speakers)
    return np.sort(each % 5) if rest == "folds" else each // int(number)


def made(rng: np.random.Generator, cell: Cell, common_RS: np.ndarray, lower: float) -> np.ndarray:
    """Speakers' values of one system, a mean over its trainings, (R, S)."""
    fold_S = folds_of(cell.speakers, cell.folds)
    shape = (len(common_RS), cell.num_folds)
    own_RS = rng.normal(size=common_RS.shape)
    speaker_RS = IN_COMMON**0.5 * common_RS + (1 - IN_COMMON) ** 0.5 * own_RS
    fold_RF = (1 - OF_TRAINING) ** 0.5 * rng.normal(size=shape)
    total_RS = np.zeros_like(common_RS)
    for _ in range(cell.seeds):
        model_RF = fold_RF + OF_TRAINING**0.5 * rng.normal(size=shape)
        z_RS = cell.share**0.5 * model_RF[:, fold_S] + (1 - cell.share) ** 0.5 * speaker_RS
        if cell.data == "normal":
            total_RS += z_RS - lower
        else:
            total_RS += rng.binomial(NUM_UTTERANCES, _share(z_RS, lower)) / NUM_UTTERANCES
    return total_RS / cell.seeds


def _share(z: np.ndarray, lower: float) -> np.ndarray:
    return special.expit(MEAN - lower + DEVIATION * z)


@cache
def expected(data: str, lower: float) -> float:
    """The mean of a system that is ``lower`` than the other, over all speakers and trainings."""
    if data == "normal":
        return -lower
    points, weights = np.polynomial.hermite_e.hermegauss(80)
    return float((weights * _share(points, lower)).sum() / weights.sum())


@cache
def one_deviation(data: str, share: float) -> float:
    """How much lower a system must be to differ by one deviation of a speaker's difference."""
    alike = IN_COMMON * (1 - share)
    if data == "normal":
        return float((2 * (1 - alike)) ** 0.5)
    first, second = np.random.default_rng(5).normal(size=(2, 20_000))
    second = alike * first + (1 - alike**2) ** 0.5 * second
    low, high = 0.0, 3.0
    for _ in range(25):
        middle = (low + high) / 2
        gap = _share(first, 0.0) - _share(second, middle)
        low, high = (middle, high) if gap.mean() < gap.std() else (low, middle)
    return middle


def measure(cell: Cell) -> Cell:
    """Fill in the rates of one cell."""
    rng = np.random.default_rng([ord(x) for x in repr(cell.key)])
    fold_S = folds_of(cell.speakers, cell.folds)
    common_RS = rng.normal(size=(NUM_MADE, cell.speakers))
    first_RS, equal_RS = (made(rng, cell, common_RS, 0.0) for _ in range(2))
    lower = one_deviation(cell.data, cell.share)
    lower_RS = made(rng, cell, common_RS, lower)
    truth = expected(cell.data, 0.0)
    gap = truth - expected(cell.data, lower)
    for name, candidate in INTERVALS.items():
        size = NUM_RESAMPLED if name in RESAMPLED else NUM_MADE
        alone, none, some = (
            candidate(values_RS[:size], fold_S)
            for values_RS in (first_RS, first_RS - equal_RS, first_RS - lower_RS)
        )
        cell.missed_mean[name] = float(rejections(alone, truth).mean())
        cell.missed_difference[name] = float(rejections(some, gap).mean())
        cell.false_alarm[name] = float(rejections(none, 0.0).mean())
        cell.power[name] = float((some[0] > 0).mean())
    if cell.data == "skewed":
        least = 0.5 / (NUM_UTTERANCES * cell.speakers)
        for name, bend in BENDS.items():
            bounds = by_folds_bent(first_RS, fold_S, bend, least)
            cell.missed_mean[name] = float(rejections(bounds, truth).mean())
    for name, test in TESTS.items():
        for found, other_RS in ((cell.false_alarm, equal_RS), (cell.power, lower_RS)):
            gaps_RS = (first_RS - other_RS)[:NUM_RESAMPLED]
            found[name] = float(test(gaps_RS, fold_S).mean())
    return cell


def main() -> None:
    """Make the cells that the file lacks, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True, help="what was found, cell by cell")
    parser.add_argument("--output", type=Path, help="the table, as Markdown")
    parser.add_argument("--table-only", action="store_true", help="of the cells that are there")
    arguments = parser.parse_args()
    stored = json.loads(arguments.json.read_text()) if arguments.json.exists() else []
    known = {one.key: one for one in (Cell(**entry) for entry in stored)}
    for cell in cells():
        if cell.key not in known and not arguments.table_only:
            known[cell.key] = measure(cell)
            staged = arguments.json.with_name(f".{arguments.json.name}.tmp")
            staged.write_text(json.dumps([asdict(one) for one in known.values()]) + "\n")
            staged.replace(arguments.json)
    if arguments.output:
        arguments.output.write_text(markdown(list(known.values()), NUM_MADE, NUM_RESAMPLED))


if __name__ == "__main__":
    main()
