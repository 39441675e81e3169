"""The proof that a split leaks nothing, or a list of what it shares.

Each key is compared between each pair of sides. What a shared key means:

============  ===================================  =====================================
key           ``speaker_independent``              ``paper``
============  ===================================  =====================================
speaker       leak (*)                             optimistic
content_hash  leak                                 optimistic
id            leak                                 optimistic
text          reported                             reported
session       reported                             reported
============  ===================================  =====================================

(*) between train and validation only optimistic where the split says ``val: speaker shared``: the
test stays honest, so the verdict does too.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

from raysearch.corpora.utterance import Utterance
from raysearch.errors import LeakError
from raysearch.protocols.splits import Split
from raysearch.protocols.validation import SPEAKER_SHARED

__all__ = ["Audit", "Overlap", "audit"]

Meaning = Literal["leak", "optimistic", "reported"]
Verdict = Literal["clean", "optimistic", "leak"]

KEYS: dict[str, Callable[[Utterance], str | None]] = {
    "speaker": lambda row: row.speaker,
    "content_hash": lambda row: row.content_hash,
    "id": lambda row: row.id,
    "text": lambda row: row.text,
    "session": lambda row: row.session,
}
DISJOINT = frozenset({"speaker", "content_hash", "id"})
WORDS = {"content_hash": "audio content", "id": "utterance"}
NUM_EXAMPLES = 2


@dataclass(frozen=True)
class Overlap:
    """A key shared by two sides.

    Attributes:
        key: what was compared.
        sides: the two sides' names.
        count: number of distinct shared values.
        examples: the first few, sorted.
        meaning: what the protocol makes of it.
    """

    key: str
    sides: tuple[str, str]
    count: int
    examples: tuple[str, ...]
    meaning: Meaning

    def line(self) -> str:
        """One line for the terminal."""
        word = WORDS.get(self.key, self.key)
        more = ", ..." if self.count > len(self.examples) else ""
        sides = " and ".join(self.sides)
        found = f"{', '.join(_short(value) for value in self.examples)}{more}"
        return f"{self.meaning}: {self.count} {word}(s) in both {sides}: {found}"


@dataclass(frozen=True)
class Audit:
    """Everything that two sides of a split share."""

    corpus: str
    protocol: str
    overlaps: tuple[Overlap, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """``leak`` if a declared key is shared, ``optimistic`` if test figures flatter."""
        meanings = {overlap.meaning for overlap in self.overlaps}
        if "leak" in meanings:
            return "leak"
        flattered = any(o.meaning == "optimistic" and "test" in o.sides for o in self.overlaps)
        return "optimistic" if flattered else "clean"

    def lines(self) -> list[str]:
        """The verdict, then a line for each overlap and note."""
        return [
            f"audit of {self.protocol}: {self.verdict}",
            *(overlap.line() for overlap in self.overlaps),
            *self.notes,
        ]

    def brief(self) -> list[str]:
        """As ``lines``, but with what the protocol allows in a word."""
        allowed = sorted({f"{o.key}s" for o in self.overlaps if o.meaning == "reported"})
        shared = f" ({' and '.join(allowed)} shared between sides, as allowed)" if allowed else ""
        found = [o.line() for o in self.overlaps if o.meaning != "reported"]
        return [f"audit of {self.protocol}: {self.verdict}{shared}", *found, *self.notes]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "protocol": self.protocol,
            "verdict": self.verdict,
            "overlaps": [
                {**asdict(o), "sides": list(o.sides), "examples": list(o.examples)}
                for o in self.overlaps
            ],
            "notes": list(self.notes),
        }

    def check(self) -> None:
        """Refuse a leaking split.

        Raises:
            LeakError: naming every declared key that is shared, how often, and examples.
        """
        leaks = [o.line().removeprefix("leak: ") for o in self.overlaps if o.meaning == "leak"]
        if leaks:
            raise LeakError(
                f"{self.corpus}: {self.protocol} refuses this split: {'; '.join(leaks)}: correct "
                "the speakers, folds or splits of the corpus, or use --protocol paper"
            )


def audit(split: Split) -> Audit:
    """Compare train, validation and test of ``split`` key by key."""
    rows = (*split.train, *split.validation, *split.test)
    overlaps = []
    for (first, first_rows), (second, second_rows) in combinations(split.sides(), 2):
        for key, value_of in KEYS.items():
            shared = {value_of(row) for row in first_rows} & {value_of(row) for row in second_rows}
            values = sorted(value for value in shared if value)
            if values:
                meaning = _meaning(split, key, (first, second))
                examples = tuple(values[:NUM_EXAMPLES])
                overlaps.append(Overlap(key, (first, second), len(values), examples, meaning))
    corpus = rows[0].corpus if rows else "the corpus"
    return Audit(corpus, split.protocol, tuple(overlaps), split.notes)


def _short(value: str) -> str:
    return value if len(value) <= 32 else f"{value[:29]}..."


def _meaning(split: Split, key: str, sides: tuple[str, str]) -> Meaning:
    if key not in DISJOINT:
        return "reported"
    exempt = key == "speaker" and "test" not in sides and SPEAKER_SHARED in split.notes
    return "optimistic" if split.protocol == "paper" or exempt else "leak"
