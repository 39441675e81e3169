"""What the simulation of statistics tries is what the project uses."""

import sys
from pathlib import Path

import numpy as np
import pytest

from raysearch.evaluation.statistics import METRICS, difference_interval, interval

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import statistics_simulation as simulation
from statistics_candidates import INTERVALS, TESTS, by_folds, by_folds_bent

NUM = 50
FOLDS = [0, 0, 1, 1, 2, 2, 3, 3, 4]


def evaluated(seed):
    """Right answers of nine speakers in three made evaluations, and their matrices."""
    right_RS = np.random.default_rng(seed).binomial(NUM, 0.9, size=(3, len(FOLDS)))
    matrices = [[[[right, NUM - right], [0, 0]] for right in one] for one in right_RS]
    return right_RS / NUM, np.array(matrices, dtype=float)


def test_the_chosen_candidates_are_the_functions_of_the_project():
    (first, first_RSKK), (second, second_RSKK) = evaluated(0), evaluated(1)
    fold_S, accuracy = np.array(FOLDS), METRICS["wa"]
    alone = by_folds_bent(first, fold_S, -0.25, 0.5 / (NUM * len(FOLDS)))
    between = by_folds(first - second, fold_S)
    for r in range(3):
        one = interval(first_RSKK[r], accuracy, folds=FOLDS)
        assert (one.low, one.high) == pytest.approx((alone[0][r], alone[1][r]))
        pair = first_RSKK[r], second_RSKK[r]
        both = difference_interval(*pair, accuracy, folds=FOLDS, level=0.95)
        assert (both.low, both.high) == pytest.approx((between[0][r], between[1][r]))


def test_a_shared_model_fools_what_counts_speakers_and_not_what_counts_folds():
    cell = simulation.measure(simulation.Cell(24, "4 a fold", 0.5, 1, "normal", 6))
    assert cell.false_alarm["flips of speakers"] > 0.12
    assert cell.missed_mean["bootstrap of speakers"] > 0.12
    assert 0.03 < cell.false_alarm["t over folds"] < 0.07
    assert 0.03 < cell.missed_mean["t over folds"] < 0.07
    assert cell.power["t over folds"] > 0.5
    assert set(cell.power) == {*INTERVALS, *TESTS}


def test_the_difference_to_be_found_is_one_deviation():
    gaps = []
    for data in simulation.DATA:
        cell = simulation.Cell(48, "1 a fold", 0.0, 1, data, 48)
        rng = np.random.default_rng(3)
        common = rng.normal(size=(500, 48))
        first = simulation.made(rng, cell, common, 0.0)
        second = simulation.made(rng, cell, common, simulation.one_deviation(data, 0.0))
        gaps.append((first - second).mean() / (first - second).std())
    assert gaps == pytest.approx([1.0, 1.0], abs=0.08)
