"""Which part of a training side is held out for validation. Test rows are never seen here.

The rule: the smallest set of whole speakers, two or more and balanced by sex where possible, with
at least ``MIN_PER_CLASS`` utterances a class and at most a quarter of the speakers; ties by the
most even class counts, then by name. If no allowed set has that many, the one whose rarest class
has most (then its second rarest, and so on). With fewer than eight speakers one is held out; with
one, a fifth of the texts, and the speaker is shared.

One addition: a set that would leave training without one of the classes is not allowed.

Cost: the sets of a size are enumerated up to ``MAX_SETS`` (pairs of 447 speakers, triples of 85);
a larger size grows the best set of the size before it by its best speaker (greedy).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from raysearch.corpora.utterance import Utterance
from raysearch.protocols.folds import hash_order

__all__ = ["MIN_PER_CLASS", "SPEAKER_SHARED", "Validation", "choose_validation", "random_fifth"]

MIN_PER_CLASS = 5
MAX_SPEAKER_SHARE = 0.25
MAX_SETS = 100_000
SPEAKER_SHARED = "val: speaker shared"

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Validation:
    """The ids held out, and what a reader must know about them."""

    ids: frozenset[str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    """A set of speakers: their row numbers, and its class counts, capped and ascending."""

    members: tuple[int, ...]
    rarest: tuple[int, ...]

    @property
    def complete(self) -> bool:
        return self.rarest[0] >= MIN_PER_CLASS


def choose_validation(rows: Sequence[Utterance]) -> Validation:
    """Validation rows for one training side, by the rule at the top of this file.

    Args:
        rows: the training side (train and validation together), two or more of every class.
    """
    speakers = _choose_speakers(rows)
    if speakers is not None:
        ids = frozenset(row.id for row in rows if row.speaker in speakers)
        return Validation(ids)
    if all(row.text for row in rows) and len({row.text for row in rows}) > 1:
        ids = _fifth(rows, lambda row: str(row.text))
        if ids:
            return Validation(ids, (SPEAKER_SHARED,))
    return Validation(random_fifth(rows), (SPEAKER_SHARED, "val: text shared"))


def random_fifth(rows: Sequence[Utterance]) -> frozenset[str]:
    """A fifth of ``rows`` by the hash of their ids; training keeps a row of every class."""
    return _fifth(rows, lambda row: row.id)


def _fifth(rows: Sequence[Utterance], group_of: Callable[[Utterance], str]) -> frozenset[str]:
    """Whole groups in hash order until a fifth of ``rows`` is reached."""
    members: dict[str, list[Utterance]] = {}
    for row in rows:
        members.setdefault(group_of(row), []).append(row)
    left = Counter(row.emotion for row in rows)
    target = max(1, len(rows) // 5)
    chosen: set[str] = set()
    for group in hash_order(list(members), "validation"):
        after = left - Counter(row.emotion for row in members[group])
        # Counter subtraction drops what reaches zero: fewer keys means a class would be lost.
        if len(chosen) < target and len(after) == len(left):
            left = after
            chosen.update(row.id for row in members[group])
    return frozenset(chosen)


def _choose_speakers(rows: Sequence[Utterance]) -> frozenset[str] | None:
    """The speakers to hold out, or None if no set of whole speakers is allowed."""
    names = sorted({row.speaker for row in rows})
    classes = sorted({row.emotion for row in rows})
    if len(names) < 2:
        return None
    counts_SK = np.zeros((len(names), len(classes)), dtype=np.int64)
    sexes = {row.speaker: row.sex for row in rows}
    for (speaker, emotion), count in Counter((row.speaker, row.emotion) for row in rows).items():
        counts_SK[names.index(speaker), classes.index(emotion)] = count
    sign_S = np.array([{"female": 1, "male": -1}.get(sexes[name] or "", 0) for name in names])
    any_sex = _smallest(counts_SK, np.zeros_like(sign_S))
    # Both sexes must also remain in training, so each needs two speakers.
    balanced = None
    if (sign_S != 0).all() and min((sign_S > 0).sum(), (sign_S < 0).sum()) >= 2:
        balanced = _smallest(counts_SK, sign_S)
    best = any_sex if balanced is None else balanced
    if best is not None and not best.complete and any_sex is not None and any_sex.complete:
        best = any_sex
    return None if best is None else frozenset(names[member] for member in best.members)


def _smallest(counts_SK: Ints, sign_S: Ints) -> _Candidate | None:
    """The best allowed set of the smallest size, sizes in ascending order.

    Args:
        counts_SK: utterances by speaker (sorted by name) and class.
        sign_S: +1 female, -1 male; all 0 asks for no balance.
    """
    num_speakers = len(counts_SK)
    largest = max(1, int(num_speakers * MAX_SPEAKER_SHARE))
    smallest = min(2, largest)
    best: _Candidate | None = None
    grown: _Candidate | None = None
    num_idle = 0
    for size in range(1, largest + 1):
        if comb(num_speakers, size) <= MAX_SETS:
            sets_CM = np.array(list(combinations(range(num_speakers), size)), dtype=np.int64)
        elif grown is not None:
            rest = [s for s in range(num_speakers) if s not in grown.members]
            sets_CM = np.array([[*grown.members, s] for s in rest], dtype=np.int64)
        else:
            break
        grown = _best_of(sets_CM, counts_SK, sign_S)
        if size < smallest or grown is None:
            continue
        num_idle = 0 if best is None or grown.rarest > best.rarest else num_idle + 1
        best = grown if num_idle == 0 else best
        # Two sizes, because an odd one may only take the sex that has nothing to add.
        if best is None or best.complete or num_idle == 2:
            break
    return best


def _best_of(sets_CM: Ints, counts_SK: Ints, sign_S: Ints) -> _Candidate | None:
    """The best of the candidate sets (rows of speaker numbers, all of one size)."""
    total_K = counts_SK.sum(axis=0)
    counts_CK = np.zeros((len(sets_CM), len(total_K)), dtype=np.int64)
    for member_C in sets_CM.T:
        counts_CK += counts_SK[member_C]
    size = sets_CM.shape[1]
    allowed_C = (counts_CK < total_K).all(axis=1)
    allowed_C &= np.abs(sign_S[sets_CM].sum(axis=1)) <= size % 2
    if not allowed_C.any():
        return None
    sets_CM, counts_CK = sets_CM[allowed_C], counts_CK[allowed_C]
    rarest_CK = np.sort(np.minimum(counts_CK, MIN_PER_CLASS), axis=1)
    # Sum of squared class shares: smallest when even, the same for proportional counts.
    uneven_C = (counts_CK**2).sum(axis=1) / counts_CK.sum(axis=1) ** 2
    # lexsort takes its last key first and is stable: equal sets stay in the order of the names.
    order = np.lexsort((uneven_C, *(-rarest_CK[:, ::-1].T)))
    first = int(order[0])
    return _Candidate(tuple(sorted(sets_CM[first].tolist())), tuple(rarest_CK[first].tolist()))
