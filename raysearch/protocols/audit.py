"""The proof that a split leaks nothing, or a list of what it shares.

Each key is compared between each pair of sides. What a shared key means, by protocol:

============  ===================  ================  ===================  ==========
key           speaker_independent  text_independent  session_independent  paper
============  ===================  ================  ===================  ==========
content_hash  leak                 leak              leak                 optimistic
id            leak                 leak              leak                 optimistic
speaker       leak (*)             leak (*)          reported             optimistic
text          reported             leak (*)          reported             reported
session       reported             reported          leak (*)             reported
============  ===================  ================  ===================  ==========

(*) between train and validation only optimistic where the split says ``val: speaker shared`` (or
text, or session): the test stays honest, so the verdict does too.

Segments of one file have one ``content_hash``. Augmented rows are no utterances: their siblings
are watched by ``check_siblings``.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Literal

from raysearch.corpora.utterance import Utterance
from raysearch.errors import LeakError
from raysearch.protocols.groups import session_of, text_of
from raysearch.protocols.splits import Split
from raysearch.protocols.validation import SESSION_SHARED, SPEAKER_SHARED, TEXT_SHARED

__all__ = ["Audit", "Overlap", "audit", "check_siblings"]

Meaning = Literal["leak", "optimistic", "reported"]
Verdict = Literal["clean", "optimistic", "leak"]

KEYS: dict[str, Callable[[Utterance], str | None]] = {
    "speaker": lambda row: row.speaker,
    "content_hash": lambda row: row.content_hash,
    "id": lambda row: row.id,
    "text": text_of,
    "session": session_of,
}
_ALWAYS = frozenset({"content_hash", "id"})
DISJOINT = {
    "speaker_independent": _ALWAYS | {"speaker"},
    "text_independent": _ALWAYS | {"speaker", "text"},
    "session_independent": _ALWAYS | {"session"},
}
EXEMPT = {"speaker": SPEAKER_SHARED, "text": TEXT_SHARED, "session": SESSION_SHARED}
WORDS = {"content_hash": "audio content", "id": "utterance"}
NUM_EXAMPLES = 2


@dataclass(frozen=True)
class Overlap:
    """A key, such as a speaker, that two sides of a split share.

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
    """Everything that any two sides of a split share."""

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

    def to_dict(self) -> dict[str, object]:
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
        """Raise an error if the split leaks.

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
    corpus = "+".join(sorted({row.corpus for row in rows})) or "the corpus"
    return Audit(corpus, split.protocol, tuple(overlaps), split.notes)


def check_siblings(train_keys: Iterable[str], held_out_hashes: Collection[str]) -> None:
    """Refuse training rows that were made from a held-out utterance, or are one.

    Args:
        train_keys: what training reads: ``content_hash`` of a clean row,
            ``content_hash+cell`` of an augmented one.
        held_out_hashes: ``content_hash`` of the validation and test rows.

    Raises:
        LeakError: with the number of such keys and examples.
    """
    held_out = frozenset(held_out_hashes)
    leaks = sorted({key for key in train_keys if key.partition("+")[0] in held_out})
    if leaks:
        more = ", ..." if len(leaks) > NUM_EXAMPLES else ""
        raise LeakError(
            f"{len(leaks)} training row(s) are siblings of validation or test utterances: "
            f"{', '.join(leaks[:NUM_EXAMPLES])}{more}: augment after the split, training rows only"
        )


def _short(value: str) -> str:
    return value if len(value) <= 32 else f"{value[:29]}..."


def _meaning(split: Split, key: str, sides: tuple[str, str]) -> Meaning:
    if split.protocol == "paper":
        return "optimistic" if key in DISJOINT["speaker_independent"] else "reported"
    if key not in DISJOINT[split.protocol]:
        return "reported"
    exempt = "test" not in sides and EXEMPT.get(key) in split.notes
    return "optimistic" if exempt else "leak"
