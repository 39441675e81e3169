"""Statistics of each speaker's own recordings, for ``training.normalise: speaker``.

A speaker's statistics are those of the speaker's clean rows on one side of the split: what an
augmentation cell made of a row is normalised as the row is, and no side reads another's rows.

Axis letters: R rows, S speakers of both sides, F bins.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from raysearch.streaming.arrays import RowStats
from raysearch.streaming.split_rows import RowTable, SplitRows

__all__ = ["Side", "SpeakerIndex", "speaker_mean_std", "speakers_of_one"]

Side = Literal["train", "validation"]


@dataclass(frozen=True)
class SpeakerIndex:
    """Which speaker each row is of, as row numbers of a table of all speakers.

    Attributes:
        train: of each training row, int64 (R,).
        validation: of each validation row; a speaker of both sides counts twice.
    """

    train: np.ndarray
    validation: np.ndarray

    @classmethod
    def of(cls, rows: SplitRows) -> "SpeakerIndex":
        """Number the speakers that the rows name."""
        train = _index(rows.train)
        return cls(train, int(train.max()) + 1 + _index(rows.validation))

    def side(self, name: Side) -> np.ndarray:
        """Return the speakers' numbers of one side."""
        return self.train if name == "train" else self.validation

    @property
    def both(self) -> np.ndarray:
        """The numbers of training rows, then validation rows: the order of a reader's table."""
        return np.concatenate([self.train, self.validation])


def _index(table: RowTable) -> np.ndarray:
    assert len(table.speakers) == len(table), "rows without their speakers"
    names = {name: number for number, name in enumerate(dict.fromkeys(table.speakers))}
    return np.array([names[name] for name in table.speakers], dtype=np.int64)


def speaker_mean_std(stats: RowStats, speaker_R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each bin over all frames of each speaker's rows, float64 (S, F).

    Args:
        stats: of the rows, and of others after them.
        speaker_R: whose each row is, counted from 0 without gaps.
    """
    found = [
        stats.mean_std(np.flatnonzero(speaker_R == speaker))
        for speaker in range(int(speaker_R.max()) + 1)
    ]
    return np.stack([mean_F for mean_F, _ in found]), np.stack([std_F for _, std_F in found])


def speakers_of_one(sides: Mapping[str, Sequence[str]]) -> str:
    """Warn of speakers whose statistics come from a single recording; empty if there are none.

    Args:
        sides: the name of each side to whose each of its rows is.
    """
    alone = [
        f"{name} ({side})"
        for side, speakers in sides.items()
        for name, count in Counter(speakers).items()
        if count == 1
    ]
    if not alone:
        return ""
    return (
        f"{len(alone)} speaker(s) with a single recording, normalised by that one alone: "
        f"{', '.join(alone[:3])}{', ...' if len(alone) > 3 else ''}"
    )
