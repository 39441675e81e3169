"""Outer folds: which utterances are tested on, fold by fold.

Where the folds of ``speaker_independent`` come from, first match wins:

1. ``folds: leave_one_speaker_out``: one fold a speaker;
2. a manifest's own ``fold`` column (a value a fold), else its ``split`` column (one fold);
3. the committed ``assignments/<corpus>.csv``: RAVDESS 6 x 4 and demo 6 x 2 speakers, half of
   each sex, in order; EMO-DB 5 x 2, a man and a woman, paired so that every fold tests at least
   five utterances of every emotion (speaker 08 has no disgust, some have one);
4. else the speakers are dealt into groups of equal size.

Dealing goes by a hash of the speaker's name and looks at nothing else. Neither a seed nor audio,
labels or utterance counts can move a fold, so damage to test rows cannot reach a search.
"""

import csv
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise
from typing import Literal

from pydantic import Field

from raysearch.config.base import Config
from raysearch.config.identity import stable_hash
from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import DataError

__all__ = ["ProtocolConfig", "hash_order", "outer_folds", "own_sides"]

NUM_PAPER_FOLDS = 5

SIDES = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
}


class ProtocolConfig(Config):
    """How utterances are divided into train, validation and test."""

    name: Literal["speaker_independent", "paper"] = Field(
        "speaker_independent",
        description="speaker_independent: no speaker on two sides; "
        "paper: random 64/16/20 as printed results use it, optimistic",
    )
    fold: int = Field(0, ge=0, description="the outer fold to test on, counted from 0")
    folds: Literal["default", "leave_one_speaker_out"] = Field(
        "default", description="the corpus' usual folds, or one fold a speaker"
    )
    num_folds: int = Field(
        5, ge=2, description="groups of speakers, for a corpus without folds of its own"
    )


def outer_folds(corpus: Corpus, config: ProtocolConfig) -> list[frozenset[str]]:
    """The test utterances' ids of every fold.

    Args:
        corpus: the usable utterances.
        config: the protocol; ``config.fold`` plays no part.

    Raises:
        DataError: too few speakers or utterances, or a ``fold`` or ``split`` column with gaps,
            unknown values, or a single value.
    """
    rows = sorted(corpus.utterances, key=lambda row: row.id)
    if config.name == "paper":
        return _random_folds(corpus.name, rows)
    if config.folds == "leave_one_speaker_out":
        return _by_speaker(rows, [[name] for name in _speakers(corpus.name, rows)])
    if any(row.fold is not None for row in rows):
        return _column_folds(corpus.name, rows)
    sides = own_sides(corpus, config)
    if sides is not None:
        return [frozenset(identifier for identifier, side in sides.items() if side == "test")]
    speakers = _speakers(corpus.name, rows)
    groups = _assigned(corpus.name, speakers) or _dealt(speakers, config.num_folds)
    return _by_speaker(rows, groups)


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


def hash_order(names: Sequence[str], salt: str) -> list[str]:
    """``names`` in an order that depends on the names and ``salt`` only."""
    return sorted(names, key=lambda name: (stable_hash([salt, name], 32), name))


def _speakers(name: str, rows: Sequence[Utterance]) -> list[str]:
    speakers = sorted({row.speaker for row in rows})
    if len(speakers) < 2:
        found = f"only one speaker ({speakers[0]!r})" if speakers else "no utterance"
        raise DataError(
            f"{name}: {found}, and speaker_independent needs two or more: "
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


def _dealt(speakers: Sequence[str], num_folds: int) -> list[list[str]]:
    order = hash_order(speakers, "fold")
    num_groups = min(num_folds, len(order))
    return [sorted(order[start::num_groups]) for start in range(num_groups)]


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


def _random_folds(name: str, rows: Sequence[Utterance]) -> list[frozenset[str]]:
    """Fifths by the hash of the utterance's id, not stratified: speakers and texts are shared."""
    if len(rows) < NUM_PAPER_FOLDS:
        raise DataError(
            f"{name}: {len(rows)} utterances cannot fill the {NUM_PAPER_FOLDS} folds of paper"
        )
    order = hash_order([row.id for row in rows], "paper")
    edges = [len(order) * fold // NUM_PAPER_FOLDS for fold in range(NUM_PAPER_FOLDS + 1)]
    return [frozenset(order[start:stop]) for start, stop in pairwise(edges)]
