"""What counts as one in an interval and in a test: the speakers whom one model was tested on.

Speakers of one fold share a model, and whatever its training did well or badly, it did to all of
them. So each fold is one unit. Where all speakers were tested by one model, each speaker is a unit,
and what is found holds for that model, not for the method that trained it.

Axis letters: S speaker, U unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.special
from numpy.typing import NDArray

__all__ = [
    "MIN_FOLDS",
    "MIN_SPEAKERS_INTERVAL",
    "MIN_SPEAKERS_TEST",
    "Spread",
    "Units",
    "folds_of_speakers",
    "t_half_width",
    "t_test",
]

Floats = NDArray[np.float64]

MIN_SPEAKERS_INTERVAL = 8
MIN_SPEAKERS_TEST = 6
MIN_FOLDS = 4


@dataclass(frozen=True)
class Spread:
    """An estimate, its standard error, and the degrees of freedom of that."""

    estimate: float
    error: float
    freedom: float


@dataclass(frozen=True)
class Units:
    """The units of an evaluation.

    Attributes:
        of_speaker_S: each speaker's unit, from 0.
        num_folds: how many folds share no speaker; None where the folds are not known.
    """

    of_speaker_S: NDArray[np.int64]
    num_folds: int | None

    @classmethod
    def of(cls, num_speakers: int, folds: Sequence[int] | None) -> "Units":
        """The units of speakers who were tested in ``folds``.

        Args:
            num_speakers: how many speakers were tested.
            folds: each speaker's fold; None where it is not known.

        Raises:
            ValueError: there are not as many folds as speakers.
        """
        each = np.arange(num_speakers)
        if folds is None:
            return cls(each, None)
        if len(folds) != num_speakers:
            raise ValueError(f"{num_speakers} speakers, but {len(folds)} folds of speakers")
        distinct, of_speaker_S = np.unique(np.asarray(folds, dtype=np.int64), return_inverse=True)
        return cls(each if len(distinct) == 1 else of_speaker_S, len(distinct))

    @property
    def number(self) -> int:
        """How many units there are."""
        return int(self.of_speaker_S.max()) + 1 if len(self.of_speaker_S) else 0

    @property
    def method(self) -> str:
        """By what an interval or a test is made of these units, in one phrase."""
        num_speakers = len(self.of_speaker_S)
        if self.num_folds is None:
            return f"t over {num_speakers} speakers, folds not known: too narrow if they share any"
        if self.num_folds == 1:
            return f"t over {num_speakers} speakers of one fold: holds for these trainings alone"
        return f"t over {self.num_folds} folds of {num_speakers} speakers"

    def lack(self, min_speakers: int) -> str | None:
        """What there is too little of, and what would be needed; None if there is enough.

        Args:
            min_speakers: how many speakers are needed.
        """
        num_speakers = len(self.of_speaker_S)
        too_few_folds = self.num_folds is not None and 1 < self.num_folds < MIN_FOLDS
        if num_speakers >= min_speakers and not too_few_folds:
            return None
        found = f"{num_speakers} speaker(s)"
        if self.num_folds is not None:
            found += f" in {self.num_folds} fold(s)"
        return f"{found}; {min_speakers} speakers in {MIN_FOLDS} or more folds are needed"

    def sums(self, values_S: Floats) -> Floats:
        """Sums of the speakers' values, matrices or numbers, by unit: (U, ...)."""
        sums_U = np.zeros((self.number, *values_S.shape[1:]))
        np.add.at(sums_U, self.of_speaker_S, values_S)
        return sums_U

    def spread(self, estimate: float, without_U: Floats) -> Spread:
        """The jackknife's standard error over units.

        Args:
            estimate: of all units together.
            without_U: the same estimate without each unit.
        """
        freedom = self.number - 1
        variance = freedom / self.number * float(np.square(without_U - estimate).sum())
        return Spread(estimate, variance**0.5, freedom)


def folds_of_speakers(
    names: Sequence[str], speakers: Sequence[str], folds: Sequence[int]
) -> list[int]:
    """The fold of each of ``names``; folds that have a speaker in common count as one.

    Args:
        names: distinct speakers, in the order that is wanted.
        speakers: of each tested row.
        folds: of each tested row.
    """
    root: dict[int, int] = {}

    def first(fold: int) -> int:
        while root.setdefault(fold, fold) != fold:
            fold = root[fold]
        return fold

    of_speaker: dict[str, int] = {}
    for speaker, fold in sorted(set(zip(speakers, folds, strict=True))):
        one, other = sorted((first(fold), first(of_speaker.setdefault(speaker, fold))))
        root[other] = one
    return [first(of_speaker[name]) for name in names]


def t_half_width(spread: Spread, level: float) -> float:
    """Half the width of the t interval of ``level``."""
    return spread.error * float(scipy.special.stdtrit(spread.freedom, (1 + level) / 2))


def t_test(spread: Spread) -> float:
    """Two-sided p of the estimate being 0."""
    # What is equal on paper may differ in the last bit.
    if abs(spread.estimate) < 1e-12:
        return 1.0
    if spread.error < 1e-12:
        return 0.0
    return 2 * float(scipy.special.stdtr(spread.freedom, -abs(spread.estimate) / spread.error))
