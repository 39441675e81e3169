"""Names that a reader takes for one and a program for several: ``Angry`` and ``angry``."""

import unicodedata
from collections import Counter
from collections.abc import Callable

from raysearch.corpora.utterance import Corpus, Utterance

__all__ = ["spelling_notes"]

_MOST_GROUPS = 6


def spelling_notes(corpus: Corpus) -> list[str]:
    """A line each for emotions and speakers that differ in nothing but how they are spelt.

    Two such emotions are two classes, and two such speakers may stand on two sides of a split.
    Speakers are compared within their own corpus.
    """
    return [
        *_notes(
            corpus,
            "emotions",
            lambda row: ("", row.emotion),
            "each is a class of its own: unite them in the corpus' table, or by corpus.label_map",
        ),
        *_notes(
            corpus,
            "speakers",
            lambda row: (row.corpus, row.speaker),
            "each counts as another person: unite them in the corpus' table",
        ),
    ]


def _notes(
    corpus: Corpus, what: str, name_of: Callable[[Utterance], tuple[str, str]], advice: str
) -> list[str]:
    counts = Counter(name_of(row) for row in corpus.utterances)
    groups: dict[tuple[str, str], list[str]] = {}
    for (where, name), count in sorted(counts.items()):
        groups.setdefault((where, _read(name)), []).append(f"{name!r} ({count})")
    alike = [" and ".join(names) for names in groups.values() if len(names) > 1]
    if not alike:
        return []
    more = f"; and {len(alike) - _MOST_GROUPS} more" if len(alike) > _MOST_GROUPS else ""
    told = "; ".join(alike[:_MOST_GROUPS])
    return [
        f"{what} that differ in letter case, spaces or Unicode form only: {told}{more}: {advice}"
    ]


def _read(name: str) -> str:
    """``name`` as a reader takes it."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().replace("_", " ").split())
