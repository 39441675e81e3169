"""One split of a corpus: train, validation and test of the chosen fold."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import ConfigError, DataError
from raysearch.protocols.folds import outer_folds, own_sides
from raysearch.protocols.groups import text_of
from raysearch.protocols.protocol_section import ProtocolConfig
from raysearch.protocols.smallest_set import MIN_PER_CLASS
from raysearch.protocols.validation import (
    SPEAKER_SHARED,
    TEXT_SHARED,
    Validation,
    apart_in_text,
    choose_validations,
    is_small,
)

__all__ = ["ProtocolConfig", "Split", "inner_splits", "make_split", "without_validation"]

Rows = Sequence[Utterance]
# What ``text_independent`` keeps apart by leaving rows out, unless a note says it is shared.
_CROSSED: tuple[tuple[str, Callable[[Utterance], str | None]], ...] = (
    (SPEAKER_SHARED, lambda row: row.speaker),
    (TEXT_SHARED, text_of),
)


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
        left_out: rows of no side, because they share a speaker with one and a text with another.
        dimensions: what is predicted of the rows in place of their emotion, which all of them were
            rated on; empty where the emotion is.
    """

    protocol: str
    fold: int
    num_folds: int
    train: tuple[Utterance, ...]
    validation: tuple[Utterance, ...]
    test: tuple[Utterance, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[Utterance, ...] = ()
    dimensions: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, sorted: those of the training rows; or the dimensions."""
        return self.dimensions or tuple(sorted({row.emotion for row in self.train}))

    def sides(self) -> Iterator[tuple[str, tuple[Utterance, ...]]]:
        """The three sides with their names."""
        yield "train", self.train
        yield "validation", self.validation
        yield "test", self.test

    def identity(self, *, speakers: bool = False, votes: bool = False) -> dict[str, object]:
        """What the split gives a search: train and validation content, no test rows, no paths.

        Args:
            speakers: say whose each row is, too, where trials learn differently by it.
            votes: say what was voted for each row, too, where trials learn or are chosen by it.
        """
        identity = {
            "protocol": self.protocol,
            "fold": self.fold,
            "labels": list(self.labels),
            "train": [[row.id, row.content_hash, row.emotion] for row in self.train],
            "validation": [[row.id, row.content_hash, row.emotion] for row in self.validation],
        }
        if speakers:
            identity["speakers"] = [row.speaker for row in (*self.train, *self.validation)]
        if self.dimensions:
            identity["ratings"] = [row.ratings for row in (*self.train, *self.validation)]
        if votes:
            identity["votes"] = [row.votes for row in (*self.train, *self.validation)]
        return identity

    def rows(self) -> list[dict[str, str | int | float | None]]:
        """The lines of ``splits.csv``: an utterance each; those ``left out`` come last."""
        return [
            {
                "utterance": row.id,
                "speaker": row.speaker,
                "fold": self.fold,
                "split": side,
                "emotion": row.emotion,
                "duration_s": None if row.duration_s is None else round(row.duration_s, 3),
                "path": row.path,
            }
            for side, members in (*self.sides(), ("left out", self.left_out))
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
    return inner_splits(corpus, config, 1)[0]


def without_validation(split: Split) -> Split:
    """``split`` with its validation rows among those to learn from: what a refit is given."""
    train = tuple(sorted((*split.train, *split.validation), key=lambda row: row.id))
    notes = tuple(note for note in split.notes if not note.startswith("val"))
    return replace(split, train=train, validation=(), notes=notes)


def inner_splits(corpus: Corpus, config: ProtocolConfig, number: int | None) -> list[Split]:
    """``number`` splits of ``config.fold`` with the same test and disjoint validation rows.

    The first is that of ``make_split``. A trial's value over all of them depends less on who
    happens to be validated on.

    Args:
        corpus: the usable utterances, in any order.
        config: protocol and fold.
        number: how many, ``search.inner_folds``; None: two if one is small and there are two.

    Raises:
        ConfigError: the fold does not exist, or there are fewer disjoint validation sets.
        DataError: the corpus cannot be divided, or a class has too few training rows.
    """
    tested, num_folds = _tested(corpus, config)
    rows = sorted(corpus.utterances, key=lambda row: row.id)
    test = tuple(row for row in rows if row.id in tested)
    side = [row for row in rows if row.id not in tested]
    if config.name == "text_independent":
        side = _apart(side, test, ())
    if corpus.by_emotion:
        _check_classes(corpus.name, side)
    held_out = _validations(corpus, config, side, number or 1)
    if number is None and held_out and is_small(side, held_out[0]):
        held_out = _validations(corpus, config, side, 2)
    if not held_out:
        raise DataError(f"{corpus.name}: no utterance is left for validation: add utterances")
    if number and len(held_out) < number:
        raise ConfigError(
            f"search.inner_folds is {number}: fold {config.fold} of {corpus.name} has "
            f"{len(held_out)} disjoint validation set(s) under {config.name}: give "
            f"{len(held_out)} or fewer"
        )
    shape = (config.name, config.fold, num_folds)
    splits = [_split(shape, rows, side, test, one) for one in held_out]
    for split in splits if corpus.by_emotion else ():
        _check_sides(corpus.name, split)
    return splits


def _tested(corpus: Corpus, config: ProtocolConfig) -> tuple[frozenset[str], int]:
    """The test ids of ``config.fold``, and how many folds there are."""
    tests = outer_folds(corpus, config)
    if config.fold >= len(tests):
        allowed = f"0 to {len(tests) - 1}" if len(tests) > 1 else "only 0"
        raise ConfigError(
            f"protocol.fold is {config.fold}: {corpus.name} has {len(tests)} fold(s) under "
            f"{config.name}, so {allowed}"
        )
    return tests[config.fold], len(tests)


def _validations(
    corpus: Corpus, config: ProtocolConfig, side: Rows, number: int
) -> list[Validation]:
    given = own_sides(corpus, config)
    if given is None or "validation" not in given.values():
        return choose_validations(side, config.name, number)
    own = Validation(frozenset(row.id for row in side if given[row.id] == "validation"))
    if not own.ids:
        return []
    return [apart_in_text(side, own) if config.name == "text_independent" else own]


def _split(
    shape: tuple[str, int, int],
    rows: Rows,
    side: Rows,
    test: tuple[Utterance, ...],
    held_out: Validation,
) -> Split:
    validation = tuple(row for row in side if row.id in held_out.ids)
    train = [row for row in side if row.id not in held_out.ids]
    notes = (*held_out.notes, *_few_notes(side, held_out.ids))
    if shape[0] == "text_independent":
        train = _apart(train, validation, held_out.notes)
    placed = {row.id for row in (*train, *validation, *test)}
    left_out = tuple(row for row in rows if row.id not in placed)
    if left_out:
        count = f"{len(left_out)} utterances of mixed quadrants left out"
        notes = (*notes, f"{shape[0]}: {count}")
    return Split(*shape, tuple(train), validation, test, notes, left_out)


def _apart(rows: Rows, others: Rows, shared: Sequence[str]) -> list[Utterance]:
    """Those of ``rows`` that have neither speaker nor text in common with ``others``."""
    kept = list(rows)
    for note, value_of in _CROSSED:
        if note not in shared:
            taken = {value_of(row) for row in others}
            kept = [row for row in kept if value_of(row) not in taken]
    return kept


def _few_notes(side: Rows, validation: frozenset[str]) -> tuple[str, ...]:
    counts = Counter(row.emotion for row in side if row.id in validation)
    few = [
        f"{emotion} {counts[emotion]}"
        for emotion in sorted({row.emotion for row in side})
        if counts[emotion] < MIN_PER_CLASS
    ]
    return (f"val: fewer than {MIN_PER_CLASS} utterances of: {', '.join(few)}",) if few else ()


def _check_classes(name: str, side: Rows) -> None:
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
    unseen = sorted({row.emotion for row in split.validation} - labels)
    if unseen:
        raise DataError(
            f"{name}: the class {unseen[0]!r} occurs in validation but not in training: "
            "correct the column 'split'"
        )
