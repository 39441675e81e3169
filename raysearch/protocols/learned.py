"""What weights have learned from, and the proof that nothing of it is held out elsewhere.

The record travels beside the weights as ``learned_from.csv``. It names every recording that they
learned from or were chosen by, so weights that start others are never taken on trust: the same
recording is found by its content, whatever its corpus is called, and a speaker by corpus and name.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raysearch.corpora.utterance import Utterance
from raysearch.errors import DataError, LeakError
from raysearch.protocols.splits import Split

__all__ = ["LEARNED_FROM", "Learned", "LearnedRow"]

LEARNED_FROM = "learned_from.csv"
_COLUMNS = ["speaker", "utterance", "content_hash"]


@dataclass(frozen=True, slots=True, order=True)
class LearnedRow:
    """One recording that weights have learned from or were chosen by.

    Attributes:
        speaker: ``<corpus>/<speaker>``.
        utterance: its id in its corpus.
        content_hash: as ``Utterance.content_hash``.
    """

    speaker: str
    utterance: str
    content_hash: str


@dataclass(frozen=True)
class Learned:
    """Every recording that some weights have learned from, or were chosen by."""

    rows: frozenset[LearnedRow]

    @classmethod
    def of(cls, utterances: Iterable[Utterance]) -> Self:
        """List the recordings of ``utterances``, which weights learn from."""
        return cls(
            frozenset(LearnedRow(u.speaker_anywhere, u.id, u.content_hash) for u in utterances)
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file that ``to_csv`` wrote.

        Raises:
            DataError: no such file, or not such a record; nothing is known then.
        """
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file, strict=True))
        except (OSError, UnicodeDecodeError, csv.Error):
            rows = []
        if not rows or any(list(row) != _COLUMNS or not all(row.values()) for row in rows):
            raise DataError(
                f"{path}: no record of what the weights learned from, so they may have heard the "
                "test speakers: start from a run of this version"
            )
        return cls(frozenset(LearnedRow(*(row[name] for name in _COLUMNS)) for row in rows))

    def to_csv(self) -> str:
        """Write a header and one line a recording."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows((r.speaker, r.utterance, r.content_hash) for r in sorted(self.rows))
        return text.getvalue()

    def __or__(self, other: "Learned") -> "Learned":
        return Learned(self.rows | other.rows)

    @property
    def speakers(self) -> frozenset[str]:
        """All speakers."""
        return frozenset(row.speaker for row in self.rows)

    @property
    def hashes(self) -> frozenset[str]:
        """The content hashes of all recordings."""
        return frozenset(row.content_hash for row in self.rows)

    def describe(self) -> str:
        """Say in a few words how many recordings and speakers there are."""
        corpora = sorted({speaker.partition("/")[0] for speaker in self.speakers})
        return (
            f"{len(self.rows)} recordings of {len(self.speakers)} speakers of {', '.join(corpora)}"
        )

    def check(self, split: Split, origin: str) -> None:
        """Refuse weights that know a held-out recording or speaker, under every protocol.

        Args:
            split: its test and validation rows are held out.
            origin: what messages call the weights.

        Raises:
            LeakError: naming how many are known, and one of them.
        """
        speakers, hashes = self.speakers, self.hashes
        for side, rows in (("test", split.test), ("validation", split.validation)):
            heard = sorted({row.id for row in rows if row.content_hash in hashes})
            known = sorted({r.speaker_anywhere for r in rows} & speakers)
            if heard or known:
                what = (
                    f"{len(heard)} {side} recording(s) (as {heard[0]})"
                    if heard
                    else f"{len(known)} {side} speaker(s) (as {known[0]})"
                )
                raise LeakError(
                    f"{origin} learned from {what} of fold {split.fold}: start from weights of "
                    "other corpora"
                )
