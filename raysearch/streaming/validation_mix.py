"""Validation rows with another mix of emotions than the corpus has.

What a trial's epochs are judged by need not be as the corpus is: call centres hear more neutral
speech than actors were asked for. ``training.validation_mix`` draws some of the validation rows,
and an ablation of it says how much a winner owes to the mix that chose its epoch.
"""

import hashlib
from collections import Counter
from dataclasses import replace
from fractions import Fraction

from raysearch.streaming.split_rows import RowTable, SplitRows
from raysearch.training.training_sections import ValidationMix

__all__ = ["with_validation_mix"]


def with_validation_mix(rows: SplitRows, mix: ValidationMix) -> SplitRows:
    """Leave as many validation rows as have the mix ``mix``, none of them twice.

    Which rows of an emotion are left depends on their keys alone, so that every trial, whatever
    its seed, is judged by the same ones. An emotion without rows has none, in any mix, and every
    other keeps one at least.

    Args:
        rows: a split's.
        mix: ``corpus`` leaves all rows; ``balanced`` equally many of each emotion; ``reversed``
            gives the rarest emotion the share of the commonest, the second rarest that of the
            second commonest, and so on.
    """
    counts = Counter(rows.validation.labels)
    if mix == "corpus" or len(counts) < 2:
        return rows
    wanted = _wanted(counts, mix)
    kept: list[int] = []
    for label, number in wanted.items():
        own = [i for i, one in enumerate(rows.validation.labels) if one == label]
        kept += sorted(own, key=lambda i: _place(rows.validation, i))[:number]
    return replace(rows, validation=rows.validation.take(sorted(kept)))


def _wanted(counts: Counter[int], mix: ValidationMix) -> dict[int, int]:
    """The number of rows of each emotion, from the rarest on."""
    by_number = sorted(counts, key=lambda label: (counts[label], label))
    shares = dict.fromkeys(by_number, 1)
    if mix == "reversed":
        pairs = zip(by_number, reversed(by_number), strict=True)
        shares = {label: counts[mirrored] for label, mirrored in pairs}
    most = min(Fraction(counts[label], share) for label, share in shares.items())
    return {label: max(1, int(most * share)) for label, share in shares.items()}


def _place(table: RowTable, row: int) -> str:
    return hashlib.sha256(f"{table.keys[row]} {table.ids[row]}".encode()).hexdigest()
