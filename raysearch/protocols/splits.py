"""One split of a corpus: train, validation and test of the chosen fold."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import ConfigError, DataError
from raysearch.protocols.folds import ProtocolConfig, outer_folds, own_sides
from raysearch.protocols.validation import (
    MIN_PER_CLASS,
    Validation,
    choose_validation,
    random_fifth,
)

__all__ = ["ProtocolConfig", "Split", "make_split"]


@dataclass(frozen=True)
class Split:
    """Rows of one fold, each side sorted by utterance id.

    Attributes:
        protocol: the protocol's name.
        fold: the outer fold, counted from 0.
        num_folds: how many outer folds there are.
        train: rows to learn from.
        validation: rows that choose epochs and settings.
        test: rows that no search reads.
        notes: what a reader of results must know, e.g. ``"val: speaker shared"``.
    """

    protocol: str
    fold: int
    num_folds: int
    train: tuple[Utterance, ...]
    validation: tuple[Utterance, ...]
    test: tuple[Utterance, ...]
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, sorted: those of the training rows."""
        return tuple(sorted({row.emotion for row in self.train}))

    def sides(self) -> Iterator[tuple[str, tuple[Utterance, ...]]]:
        """The three sides with their names."""
        yield "train", self.train
        yield "validation", self.validation
        yield "test", self.test

    def identity(self) -> dict[str, Any]:
        """What the split gives a search: train and validation content, no test rows, no paths."""
        return {
            "protocol": self.protocol,
            "fold": self.fold,
            "labels": list(self.labels),
            "train": [[row.id, row.content_hash, row.emotion] for row in self.train],
            "validation": [[row.id, row.content_hash, row.emotion] for row in self.validation],
        }

    def rows(self) -> list[dict[str, str | int]]:
        """The lines of ``splits.csv``: utterance, speaker, fold, split."""
        return [
            {"utterance": row.id, "speaker": row.speaker, "fold": self.fold, "split": side}
            for side, members in self.sides()
            for row in members
        ]


def make_split(corpus: Corpus, config: ProtocolConfig) -> Split:
    """Train, validation and test of ``config.fold``.

    The split is not audited here: ``audit(split).check()`` refuses one that leaks.

    Args:
        corpus: the usable utterances, in any order.
        config: protocol and fold.

    Raises:
        ConfigError: the fold does not exist.
        DataError: the corpus cannot be divided, or a class has too few training rows.
    """
    tests = outer_folds(corpus, config)
    if config.fold >= len(tests):
        allowed = f"0 to {len(tests) - 1}" if len(tests) > 1 else "only 0"
        raise ConfigError(
            f"protocol.fold is {config.fold}: {corpus.name} has {len(tests)} fold(s) under "
            f"{config.name}, so {allowed}"
        )
    rows = sorted(corpus.utterances, key=lambda row: row.id)
    side = [row for row in rows if row.id not in tests[config.fold]]
    _check_classes(corpus.name, side)
    held_out = _validation(corpus, config, side)
    split = Split(
        protocol=config.name,
        fold=config.fold,
        num_folds=len(tests),
        train=tuple(row for row in side if row.id not in held_out.ids),
        validation=tuple(row for row in side if row.id in held_out.ids),
        test=tuple(row for row in rows if row.id in tests[config.fold]),
        notes=(*held_out.notes, *_few_notes(side, held_out.ids)),
    )
    _check_sides(corpus.name, split)
    return split


def _validation(corpus: Corpus, config: ProtocolConfig, side: list[Utterance]) -> Validation:
    if config.name == "paper":
        return Validation(random_fifth(side))
    given = own_sides(corpus, config)
    if given is not None and "validation" in given.values():
        return Validation(frozenset(row.id for row in side if given[row.id] == "validation"))
    return choose_validation(side)


def _few_notes(side: list[Utterance], validation: frozenset[str]) -> tuple[str, ...]:
    counts = Counter(row.emotion for row in side if row.id in validation)
    few = [
        f"{emotion} {counts[emotion]}"
        for emotion in sorted({row.emotion for row in side})
        if counts[emotion] < MIN_PER_CLASS
    ]
    return (f"val: fewer than {MIN_PER_CLASS} utterances of: {', '.join(few)}",) if few else ()


def _check_classes(name: str, side: list[Utterance]) -> None:
    counts = Counter(row.emotion for row in side)
    if len(counts) < 2:
        found = f"only the class {next(iter(counts))!r}" if counts else "nothing"
        raise DataError(f"{name}: the training side holds {found}: two classes or more are needed")
    single = sorted(emotion for emotion, count in counts.items() if count == 1)
    if single:
        raise DataError(
            f"{name}: the class {single[0]!r} has a single utterance outside the test fold: "
            "add utterances, or leave the class out"
        )


def _check_sides(name: str, split: Split) -> None:
    labels = set(split.labels)
    if len(labels) < 2:
        raise DataError(f"{name}: the training rows hold {len(labels)} class(es): two are needed")
    if not split.validation:
        raise DataError(f"{name}: no utterance is left for validation: add utterances")
    unseen = sorted({row.emotion for row in split.validation} - labels)
    if unseen:
        raise DataError(
            f"{name}: the class {unseen[0]!r} occurs in validation but not in training: "
            "correct the column 'split'"
        )
