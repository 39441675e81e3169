"""Outer folds: which utterances are tested on, fold by fold.

Where the folds come from, first match wins:

1. ``paper``: random fifths;
2. ``folds: leave_one_speaker_out``: one fold a speaker;
3. a manifest's own ``fold`` column (a value a fold), else its ``split`` column (one fold);
4. ``session_independent``: one fold a session, or ``num_folds`` groups if there are more;
5. the committed ``assignments/<corpus>.csv``, such as RAVDESS 6 x 4 and demo 6 x 2 speakers, half
   of each sex, in order; EMO-DB 5 x 2, a man and a woman, paired so that every fold tests at
   least five utterances of every emotion (speaker 08 has no disgust, some have one); IEMOCAP's
   folds are its sessions;
6. else the speakers are dealt into ``num_folds`` groups of equal size, corpus by corpus where
   several are joined, so that a fold tests speakers of each corpus that has enough of them.

``text_independent`` crosses each of these folds with each of ``num_text_groups`` groups of texts
(fewer where there are fewer texts): RAVDESS 6 x 2, EMO-DB 5 x 5. Each utterance is tested once.

Dealing goes by a hash of the name and looks at nothing else. Neither a seed nor audio, labels or
utterance counts can move a fold, so damage to test rows cannot reach a search.
"""

import csv
from collections.abc import Callable, Sequence
from importlib.resources import files
from itertools import pairwise

from raysearch.corpora.sides import SIDES
from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import DataError
from raysearch.protocols.groups import dealt, hash_order, session_of, text_of
from raysearch.protocols.protocol_section import ProtocolConfig

__all__ = ["ProtocolConfig", "hash_order", "outer_folds", "own_sides"]

NUM_PAPER_FOLDS = 5


def outer_folds(corpus: Corpus, config: ProtocolConfig) -> list[frozenset[str]]:
    """The test utterances' ids of every fold.

    Args:
        corpus: the usable utterances.
        config: the protocol; ``config.fold`` plays no part.

    Raises:
        DataError: too few speakers, sessions, texts or utterances; rows without the session or
            text that the protocol compares; or a ``fold`` or ``split`` column with gaps, unknown
            values, or a single value.
    """
    rows = sorted(corpus.utterances, key=lambda row: row.id)
    if config.name == "paper":
        return _random_folds(corpus.name, rows)
    if config.name == "session_independent":
        _ids_by(corpus.name, rows, "session", session_of)  # also where a column gives the folds
    folds = _whole_folds(corpus, config, rows)
    if config.name != "text_independent":
        return folds
    parts = _text_groups(corpus.name, rows, config.num_text_groups)
    return [cell for fold in folds for part in parts if (cell := fold & part)]


def own_sides(corpus: Corpus, config: ProtocolConfig) -> dict[str, str] | None:
    """Each utterance's side by the ``split`` column, or None where that column does not decide.

    Raises:
        DataError: the column has gaps or unknown values, or no training or no test rows.
    """
    rows = corpus.utterances
    other = config.name == "paper" or config.folds != "default"
    if other or all(row.split is None for row in rows) or any(row.fold is not None for row in rows):
        return None
    sides = {}
    for row in rows:
        side = SIDES.get((row.split or "").strip().lower())
        if side is None:
            raise DataError(
                f"{corpus.name}: the split of utterance {row.id!r} is {row.split!r}: "
                "write train, validation or test"
            )
        sides[row.id] = side
    for needed in ("train", "test"):
        if needed not in sides.values():
            raise DataError(f"{corpus.name}: the column 'split' marks no utterance as {needed}")
    return sides


def _whole_folds(
    corpus: Corpus, config: ProtocolConfig, rows: Sequence[Utterance]
) -> list[frozenset[str]]:
    """Folds of whole speakers or sessions, or those that the corpus brings."""
    if config.folds == "leave_one_speaker_out":
        return _by_speaker(rows, [[name] for name in _speakers(corpus.name, rows, config)])
    if any(row.fold is not None for row in rows):
        return _column_folds(corpus.name, rows)
    sides = own_sides(corpus, config)
    if sides is not None:
        return [frozenset(identifier for identifier, side in sides.items() if side == "test")]
    if config.name == "session_independent":
        return _session_folds(corpus.name, rows, config.num_folds)
    speakers = _speakers(corpus.name, rows, config)
    groups = _assigned(corpus.name, speakers) or _dealt(
        rows, config.num_folds, "fold", lambda row: row.speaker
    )
    return _by_speaker(rows, groups)


def _speakers(name: str, rows: Sequence[Utterance], config: ProtocolConfig) -> list[str]:
    speakers = sorted({row.speaker for row in rows})
    if len(speakers) < 2:
        found = f"only one speaker ({speakers[0]!r})" if speakers else "no utterance"
        raise DataError(
            f"{name}: {found}, and {config.name} needs two or more: "
            "add speakers, or use --protocol paper, whose figures are optimistic"
        )
    return speakers


def _by_speaker(rows: Sequence[Utterance], groups: Sequence[Sequence[str]]) -> list[frozenset[str]]:
    return [frozenset(row.id for row in rows if row.speaker in set(group)) for group in groups]


def _assigned(name: str, speakers: Sequence[str]) -> list[list[str]] | None:
    """The committed groups; None for other corpora, and for a part too small to fill each fold."""
    source = files("raysearch.protocols") / "assignments" / f"{name}.csv"
    if not name.isidentifier() or not source.is_file():
        return None
    lines = csv.DictReader(source.read_text(encoding="utf-8").splitlines())
    fold_of = {line["speaker"]: int(line["fold"]) for line in lines}
    unknown = [speaker for speaker in speakers if speaker not in fold_of]
    if unknown:
        raise DataError(
            f"{name}: speaker {unknown[0]!r} is not one of the corpus' {len(fold_of)}: "
            "load it as a manifest with a name of its own"
        )
    groups: list[list[str]] = [[] for _ in range(max(fold_of.values()) + 1)]
    for speaker in speakers:
        groups[fold_of[speaker]].append(speaker)
    return groups if all(groups) else None


def _dealt(
    rows: Sequence[Utterance],
    num_groups: int,
    salt: str,
    value_of: Callable[[Utterance], str | None],
) -> list[list[str]]:
    values_of: dict[str, set[str]] = {}
    for row in rows:
        values_of.setdefault(row.corpus, set()).add(value_of(row) or "")
    return dealt(values_of, num_groups, salt)


def _session_folds(name: str, rows: Sequence[Utterance], num_folds: int) -> list[frozenset[str]]:
    ids = _ids_by(name, rows, "session", session_of)
    if len(ids) <= num_folds:
        return [frozenset(ids[session]) for session in sorted(ids, key=_natural_session)]
    groups = _dealt(rows, num_folds, "session", session_of)
    return [frozenset().union(*(ids[session] for session in group)) for group in groups]


def _text_groups(name: str, rows: Sequence[Utterance], num_groups: int) -> list[frozenset[str]]:
    ids = _ids_by(name, rows, "text", text_of)
    groups = _dealt(rows, num_groups, "text", text_of)
    return [frozenset().union(*(ids[text] for text in group)) for group in groups]


def _ids_by(
    name: str,
    rows: Sequence[Utterance],
    column: str,
    value_of: Callable[[Utterance], str | None],
) -> dict[str, set[str]]:
    """Each value's utterances, where every row must have one and two must differ."""
    ids: dict[str, set[str]] = {}
    for row in rows:
        value = value_of(row)
        if value is None:
            raise DataError(
                f"{name}: utterance {row.id!r} has no {column}, and {column}_independent divides "
                f"by it: fill the column {column!r}, or use --protocol speaker_independent"
            )
        ids.setdefault(value, set()).add(row.id)
    if len(ids) < 2:
        found = f"only one {column} ({next(iter(ids))!r})" if ids else "no utterance"
        raise DataError(
            f"{name}: {found}, and {column}_independent needs two or more: "
            "use --protocol speaker_independent"
        )
    return ids


def _column_folds(name: str, rows: Sequence[Utterance]) -> list[frozenset[str]]:
    groups: dict[str, set[str]] = {}
    for row in rows:
        if row.fold is None or not row.fold.strip():
            raise DataError(f"{name}: utterance {row.id!r} has no value in the column 'fold'")
        groups.setdefault(row.fold.strip(), set()).add(row.id)
    if len(groups) < 2:
        raise DataError(
            f"{name}: the column 'fold' holds one value ({next(iter(groups))!r}): "
            "give two or more, or leave the column out"
        )
    return [frozenset(groups[value]) for value in sorted(groups, key=_natural)]


def _natural(value: str) -> tuple[bool, int, str]:
    """Sorts "2" before "10", and words after numbers."""
    number = value.isascii() and value.isdecimal()
    return (not number, int(value) if number else 0, value)


def _natural_session(value: str) -> tuple[str, tuple[bool, int, str]]:
    corpus, _, session = value.partition("/")
    return corpus, _natural(session)


def _random_folds(name: str, rows: Sequence[Utterance]) -> list[frozenset[str]]:
    """Fifths by the hash of the utterance's id, not stratified: speakers and texts are shared."""
    if len(rows) < NUM_PAPER_FOLDS:
        raise DataError(
            f"{name}: {len(rows)} utterances cannot fill the {NUM_PAPER_FOLDS} folds of paper"
        )
    order = hash_order([row.id for row in rows], "paper")
    edges = [len(order) * fold // NUM_PAPER_FOLDS for fold in range(NUM_PAPER_FOLDS + 1)]
    return [frozenset(order[start:stop]) for start, stop in pairwise(edges)]
