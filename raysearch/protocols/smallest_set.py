"""The smallest set of whole units (speakers, sessions, texts) that is fit to validate on.

The rule: the smallest set with at least ``MIN_PER_CLASS`` utterances a class and at most a quarter
of the units; ties by the most even class counts, then by name. If no allowed set has that many,
the one whose rarest class has most (then its second rarest, and so on). A set that would leave
training without one of its classes is not allowed.

Cost: the sets of a size are enumerated up to ``MAX_SETS`` (pairs of 447 units, triples of 85); a
larger size grows the best set of the size before it by its best unit (greedy).

Axis letters: U unit, K class, C candidate set, M member of a set.
"""

from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIN_PER_CLASS", "Units", "smallest_set"]

MIN_PER_CLASS = 5
MAX_SHARE = 0.25
MAX_SETS = 100_000

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """What sets are made of, in the order of their names.

    Attributes:
        gained_UK: utterances that validation gains with a unit, by class.
        lost_UK: utterances that training loses with it.
        sign_U: +1 female, -1 male, 0 neither; a set is balanced only if no unit has 0.
        free_U: whether a unit may be taken.
        fewest: the least size of a set, where a quarter of the units allows it.
    """

    gained_UK: Ints
    lost_UK: Ints
    sign_U: Ints
    free_U: NDArray[np.bool_]
    fewest: int


@dataclass(frozen=True)
class _Candidate:
    """A set of units, and its class counts, capped and ascending."""

    members: tuple[int, ...]
    rarest: tuple[int, ...]

    @property
    def complete(self) -> bool:
        return self.rarest[0] >= MIN_PER_CLASS


def smallest_set(units: Units) -> tuple[int, ...] | None:
    """The set's unit numbers by the rule above, ascending; None if no set is allowed.

    The sexes are balanced where that is possible and costs no class its ``MIN_PER_CLASS``.
    """
    any_sex = _smallest(replace(units, sign_U=np.zeros_like(units.sign_U)))
    sign_U = units.sign_U
    # Both sexes must also remain in training, so each needs two units.
    balanced = None
    if (sign_U != 0).all() and min((sign_U > 0).sum(), (sign_U < 0).sum()) >= 2:
        balanced = _smallest(units)
    best = any_sex if balanced is None else balanced
    if best is not None and not best.complete and any_sex is not None and any_sex.complete:
        best = any_sex
    return None if best is None else best.members


def _smallest(units: Units) -> _Candidate | None:
    """The best allowed set of the smallest size, sizes in ascending order."""
    free = [int(unit) for unit in np.flatnonzero(units.free_U)]
    largest = max(1, int(len(units.free_U) * MAX_SHARE))
    best: _Candidate | None = None
    grown: _Candidate | None = None
    num_idle = 0
    for size in range(1, largest + 1):
        if comb(len(free), size) <= MAX_SETS:
            sets_CM = np.array(list(combinations(free, size)), dtype=np.int64).reshape(-1, size)
        elif grown is not None:
            rest = [unit for unit in free if unit not in grown.members]
            sets_CM = np.array([[*grown.members, unit] for unit in rest], dtype=np.int64)
        else:
            break
        grown = _best_of(sets_CM, units)
        if size < min(units.fewest, largest) or grown is None:
            continue
        num_idle = 0 if best is None or grown.rarest > best.rarest else num_idle + 1
        best = grown if num_idle == 0 else best
        # Two sizes, because an odd one may only take the sex that has nothing to add.
        if best is None or best.complete or num_idle == 2:
            break
    return best


def _best_of(sets_CM: Ints, units: Units) -> _Candidate | None:
    """The best of the candidate sets (rows of unit numbers, all of one size)."""
    gained_CK, lost_CK = _sums(units.gained_UK, sets_CM), _sums(units.lost_UK, sets_CM)
    size = sets_CM.shape[1]
    allowed_C = (lost_CK < units.lost_UK.sum(axis=0)).all(axis=1) & (gained_CK.sum(axis=1) > 0)
    allowed_C &= np.abs(units.sign_U[sets_CM].sum(axis=1)) <= size % 2
    if not allowed_C.any():
        return None
    sets_CM, gained_CK = sets_CM[allowed_C], gained_CK[allowed_C]
    rarest_CK = np.sort(np.minimum(gained_CK, MIN_PER_CLASS), axis=1)
    # Sum of squared class shares: smallest when even, the same for proportional counts.
    uneven_C = (gained_CK**2).sum(axis=1) / gained_CK.sum(axis=1) ** 2
    # lexsort takes its last key first and is stable: equal sets stay in the order of the names.
    order = np.lexsort((uneven_C, *(-rarest_CK[:, ::-1].T)))
    first = int(order[0])
    return _Candidate(tuple(sorted(sets_CM[first].tolist())), tuple(rarest_CK[first].tolist()))


def _sums(counts_UK: Ints, sets_CM: Ints) -> Ints:
    sums_CK = np.zeros((len(sets_CM), counts_UK.shape[1]), dtype=np.int64)
    for member_C in sets_CM.T:
        sums_CK += counts_UK[member_C]
    return sums_CK
