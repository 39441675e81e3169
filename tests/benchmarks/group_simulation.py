"""How often is a difference between two groups found that is not there? A simulation.

    python tests/benchmarks/group_simulation.py --output OUT.md

The two groups are equal. A speaker's value is what the speaker does plus what the model of the
fold does, which is 0, 25 or 50% of the variance and the same for both groups. The rule is that of
the project (``raysearch/evaluation/group_statistics.py``), called as evaluations call it; beside it
stands Welch's t over speakers, which counts no folds.

Axis letters: S speaker, K class.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from raysearch.evaluation.group_statistics import group_spread
from raysearch.evaluation.units import Units, t_test

NUM_MADE = 1000
SHARES = (0.0, 0.25, 0.5)
ALPHA = 0.05


@dataclass(frozen=True)
class Design:
    """Whom the folds test: each fold's number of speakers of the first and of the second group.

    Attributes:
        wide: how many times the first group's speakers deviate as much as the second's.
    """

    name: str
    folds: Sequence[tuple[int, int]]
    wide: float = 1.0


DESIGNS = (
    Design("5 folds of a woman and a man", [(1, 1)] * 5),
    Design("5 folds of two and two", [(2, 2)] * 5),
    Design("10 folds of one and one", [(1, 1)] * 10),
    Design("5 folds of one and three", [(1, 3)] * 5),
    Design("5 folds of one and one, twice as wide", [(1, 1)] * 5, 2.0),
    Design("one speaker a fold, 4 and 4", [(1, 0)] * 4 + [(0, 1)] * 4),
    Design("one speaker a fold, 4 and 12", [(1, 0)] * 4 + [(0, 1)] * 12),
    Design("one speaker a fold, 4 and 12, twice as wide", [(1, 0)] * 4 + [(0, 1)] * 12, 2.0),
    Design("one speaker a fold, 12 and 12", [(1, 0)] * 12 + [(0, 1)] * 12),
    Design("4 folds of two women, 4 of two men", [(2, 0)] * 4 + [(0, 2)] * 4),
    Design("6 folds: 2 with both, 2 of each alone", [(1, 1)] * 2 + [(2, 0)] * 2 + [(0, 2)] * 2),
    Design("8 folds: 4 with both, 4 of the second", [(1, 1)] * 4 + [(0, 2)] * 4),
    Design("5 folds, one without the first group", [(1, 3)] * 4 + [(0, 4)]),
    Design("10 folds: 6 with both, 2 of each alone", [(1, 1)] * 6 + [(2, 0)] * 2 + [(0, 2)] * 2),
)


def false_alarms(design: Design, share: float, seed: int = 0) -> tuple[float, float]:
    """The share of made evaluations in which the rule, and Welch over speakers, find something."""
    rng = np.random.default_rng([seed, round(100 * share), *map(ord, design.name)])
    fold_S = np.array([f for f, pair in enumerate(design.folds) for _ in range(sum(pair))])
    first_S = np.array([x for a, b in design.folds for x in [True] * a + [False] * b])
    units = Units.of(len(fold_S), fold_S.tolist())
    found = np.zeros(2)
    for _ in range(NUM_MADE):
        model_F = rng.normal(size=len(design.folds))
        own_S = rng.normal(size=len(fold_S)) * np.where(first_S, design.wide, 1.0)
        value_S = share**0.5 * model_F[fold_S] + (1 - share) ** 0.5 * own_S
        first, second = (_matrices(value_S, chosen_S) for chosen_S in (first_S, ~first_S))
        welch = stats.ttest_ind(value_S[first_S], value_S[~first_S], equal_var=False)
        found += [t_test(group_spread(first, second, units)) < ALPHA, welch.pvalue < ALPHA]
    return float(found[0] / NUM_MADE), float(found[1] / NUM_MADE)


def _matrices(value_S: np.ndarray, chosen_S: np.ndarray) -> np.ndarray:
    """Confusions whose recall is a speaker's value, one row each of the chosen ones: (S, K, K)."""
    matrices = np.zeros((len(value_S), 2, 2))
    matrices[:, 0] = np.stack([value_S, 1 - value_S], axis=1) * chosen_S[:, None]
    return matrices


def markdown() -> str:
    """The table, with what leads to it."""
    lines = [
        "# Differences between groups that are not there",
        "",
        "    python tests/benchmarks/group_simulation.py --output OUT.md",
        "",
        f"Of {NUM_MADE:,} made evaluations with two equal groups, how many percent a test at 5%",
        "calls different; 5 are wanted, and the standard error of 5 is 0.7. A fold's model has no",
        "part in a speaker's value, or a quarter or a half of its variance, the same for both",
        "groups. *By folds* is the rule of the project, *by speakers* Welch's t without folds.",
        "",
        "| | by folds: 0 | 25% | 50% | by speakers: 0 | 25% | 50% |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for design in DESIGNS:
        rates = [false_alarms(design, share) for share in SHARES]
        cells = [f"{100 * rate[kind]:.1f}" for kind in (0, 1) for rate in rates]
        lines.append(f"| {design.name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.parse_args().output.write_text(markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
