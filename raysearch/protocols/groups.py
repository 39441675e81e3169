"""What utterances are grouped by, and groups that no seed, label or sound can move."""

from collections.abc import Collection, Mapping, Sequence

from raysearch.config.identity import stable_hash
from raysearch.corpora.utterance import Utterance

__all__ = ["dealt", "hash_order", "session_of", "text_of"]


def text_of(row: Utterance) -> str | None:
    """The text as it is compared: case, spacing and final punctuation do not make another."""
    text = " ".join((row.text or "").casefold().split()).rstrip(" .!?")
    return text or None


def session_of(row: Utterance) -> str | None:
    """The session with its corpus, because two corpora may both call one ``"1"``."""
    session = (row.session or "").strip()
    return f"{row.corpus}/{session}" if session else None


def hash_order(names: Collection[str], salt: str) -> list[str]:
    """``names`` in an order that depends on the names and ``salt`` only."""
    return sorted(names, key=lambda name: (stable_hash([salt, name], 32), name))


def dealt(names_of: Mapping[str, Collection[str]], num_groups: int, salt: str) -> list[list[str]]:
    """Each corpus' names dealt evenly into at most ``num_groups`` groups, none of them empty.

    The next corpus goes on where the last one ended, so the groups are even in all, too. A name
    of several corpora is dealt once.

    Args:
        names_of: corpus to its names.
        num_groups: the most groups.
        salt: of the hash that orders names.
    """
    ordered = [name for corpus in sorted(names_of) for name in hash_order(names_of[corpus], salt)]
    deck: Sequence[str] = list(dict.fromkeys(ordered))
    count = min(num_groups, len(deck))
    return [sorted(deck[start::count]) for start in range(count)]
