"""Who stays in a race: decided by validation values, their noise, and what is left to spend.

Successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943), but nobody leaves for a
difference that chance explains. How many stay follows from the differences and from the budget: a
system is clearly behind if the leader is ahead by more standard errors than the luckiest of that
many equals would be (Hsu 1996, "Multiple Comparisons", ch. 4: comparisons with the best; the level
divided as Bonferroni). Of those that are not, the worst leave only where what is left does not
reach for all, and they are then said to be not distinguished.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

__all__ = [
    "CHANCE_SHARE",
    "LEVEL",
    "MIN_TRIALS",
    "MOST_PARTS",
    "OWN_SHARE",
    "Gap",
    "Standing",
    "Verdict",
    "chances",
    "decide",
    "num_rounds",
    "order",
    "round_share",
    "verdict",
]

# How often, in a race of equals, one of them may be called clearly behind.
LEVEL = 0.05
# Whole trials that a round must have room for, for each system in it: fewer are no search.
MIN_TRIALS = 2.0
# Of the budget, what the first round may take: all own settings, whatever they cost.
OWN_SHARE = 0.5
# There, a system may take so many times its equal part: settings that end tell more than many that
# do not.
MOST_PARTS = 3.0
# Of what is left when one round is to come, what those that were not judged may take.
CHANCE_SHARE = 0.5

Verdict = Literal["best", "behind", "not distinguished", "not judged", "no score"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a system is: its value, and whether it can be judged by it.

    Attributes:
        system: its name.
        value: of its best trial, higher is better; None before its first score.
        judged: whether its own settings had all their epochs, or it has a whole trial beside them.
        cost: the part of what is left that one whole trial of it takes.
    """

    system: str
    value: float | None
    judged: bool = True
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Gap:
    """How far a system is behind the leader, and the standard error of that."""

    behind: float
    error: float


def num_rounds(num_systems: int) -> int:
    """Return the number of rounds of a race: own settings, then as many as halving takes."""
    return 1 if num_systems < 2 else 1 + max(1, math.ceil(math.log2(num_systems)))


def round_share(number: int, last: int) -> float:
    """Return the part of what is left that round ``number`` (from 1) of ``last`` may take."""
    return OWN_SHARE if number == 1 and last > 1 else 1 / (last - number + 1)


def order(standings: Sequence[Standing]) -> list[Standing]:
    """Sort systems, the best first, those without a score last; equals stay as they were."""
    return sorted(standings, key=lambda s: -math.inf if s.value is None else s.value, reverse=True)


def verdict(standing: Standing, gap: Gap | None, num_systems: int) -> Verdict:
    """Say of a system whether it is the best, behind, or not to be distinguished yet.

    Args:
        standing: the system's.
        gap: to the leader; None for the leader itself.
        num_systems: that began the race.
    """
    if standing.value is None:
        return "no score"
    if gap is None:
        return "best"
    if not standing.judged:
        return "not judged"
    errors = NormalDist().inv_cdf(1 - LEVEL / max(1, num_systems - 1))
    return "behind" if gap.behind > errors * gap.error else "not distinguished"


def decide(
    standings: Sequence[Standing],
    verdicts: Mapping[str, Verdict],
    *,
    rounds_left: int,
) -> list[str]:
    """Choose the systems that go on, the best first.

    Whoever is behind, or has no score, leaves in any case; the worst of the others where the
    budget does not reach for all.

    Args:
        standings: of every system of the round.
        verdicts: on each.
        rounds_left: rounds to come, among which what is left is shared; at least 1.
    """
    stay = [s for s in order(standings) if verdicts[s.system] not in ("behind", "no score")]
    while len(stay) > 1 and MIN_TRIALS * sum(s.cost for s in stay) > 1 / rounds_left:
        stay.pop()
    return [s.system for s in stay]


def chances(needed: Mapping[str, float]) -> list[str]:
    """Choose the systems that get a second chance, the cheapest first.

    Args:
        needed: system to the part of what is left that it takes until its own settings end.
    """
    found, taken = list[str](), 0.0
    for system, share in sorted(needed.items(), key=lambda item: item[1]):
        taken += share
        if taken <= CHANCE_SHARE:
            found.append(system)
    return found
