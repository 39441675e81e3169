"""Every outer fold of a corpus, as a paper divided it and as the project does, with added rows.

A recording that is expanded has several rows. Honestly they all follow it to its side. A paper that
expands first and divides after tests a network on copies of what it learned.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from raysearch.config.published import PublishedConfig
from raysearch.corpora.utterance import Corpus
from raysearch.evaluation.arm import paper_spec, paper_split
from raysearch.evaluation.expanded_rows import ExpandedRow, clean_rows, copies_of, in_order
from raysearch.protocols.folds import outer_folds
from raysearch.protocols.splits import Split
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import audited_split

__all__ = [
    "NO_COPIES",
    "Copies",
    "RowFold",
    "copies_for",
    "divided",
    "followed",
    "paper_folds",
    "paper_splits",
    "splits_of",
]


@dataclass(frozen=True)
class Copies:
    """What a recording becomes.

    Attributes:
        cells: what its further rows go through.
        number: its rows, itself among them.
        before_split: whether the paper divided the rows, not the recordings.
    """

    cells: tuple[str, ...] = ()
    number: int = 1
    before_split: bool = False


NO_COPIES = Copies()


@dataclass(frozen=True)
class RowFold:
    """One fold's rows.

    Attributes:
        number: the outer fold, counted from 0.
        train: rows to learn from.
        validation: rows that choose the epoch.
        test: rows that are scored.
        notes: what a reader of results must know.
    """

    number: int
    train: tuple[ExpandedRow, ...]
    validation: tuple[ExpandedRow, ...]
    test: tuple[ExpandedRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, sorted: those of the training rows."""
        return tuple(sorted({row.emotion for row in self.train}))

    def learned(self) -> list[list[str]]:
        """What a training is given: name, content and label of each row; no test row."""
        return [
            [row.name, row.utterance.content_hash, row.emotion]
            for row in (*self.train, *self.validation)
        ]

    def without(self, unusable: Collection[str]) -> "RowFold":
        """Return the fold without these recordings."""

        def kept(rows: Sequence[ExpandedRow]) -> tuple[ExpandedRow, ...]:
            return tuple(row for row in rows if row.utterance.id not in unusable)

        return replace(
            self, train=kept(self.train), validation=kept(self.validation), test=kept(self.test)
        )


def copies_for(published: PublishedConfig, corpus: str) -> Copies:
    """What the paper makes of a recording of ``corpus``."""
    found = published.expansion
    if found is None:
        return NO_COPIES
    return Copies(found.cells, found.rows_of(corpus).number, found.before_split)


def splits_of(spec: SearchSpec, corpus: Corpus) -> list[Split]:
    """Every outer fold's split under the spec's own protocol, audited.

    Raises:
        DataError: the corpus cannot be divided, or a split leaks.
    """
    number = len(outer_folds(corpus, spec.protocol))
    protocols = [spec.protocol.model_copy(update={"fold": fold}) for fold in range(number)]
    return [audited_split(replace(spec, protocol=one), corpus).split for one in protocols]


def paper_splits(spec: SearchSpec, corpus: Corpus) -> list[Split]:
    """Every fold of the split that the paper used, so that each recording is tested once.

    Raises:
        DataError: the corpus cannot be divided that way.
    """
    number = len(outer_folds(corpus, paper_spec(spec).protocol))
    return [paper_split(paper_spec(spec, fold), corpus).split for fold in range(number)]


def paper_folds(
    splits: Sequence[Split], corpus: Corpus, copies: Copies, published: PublishedConfig
) -> list[RowFold]:
    """The folds of ``paper_splits``, expanded before or after as the paper did."""
    if copies.number == 1 or not copies.before_split or published.split != "random":
        return [followed(split, copies) for split in splits]
    return divided(splits, corpus, copies, test_chooses=published.epoch_from == "test")


def followed(split: Split, copies: Copies) -> RowFold:
    """The fold of a split, its training recordings expanded."""
    return RowFold(
        split.fold,
        tuple(copies_of(split.train, copies.cells, copies.number)),
        tuple(clean_rows(split.validation)),
        tuple(clean_rows(split.test)),
        split.notes,
    )


def divided(
    splits: Sequence[Split], corpus: Corpus, copies: Copies, *, test_chooses: bool
) -> list[RowFold]:
    """The folds of random splits, the added rows dealt among them as if they were recordings.

    Args:
        splits: one a fold, of the recordings.
        corpus: all of them.
        copies: what each becomes.
        test_chooses: whether the test rows choose the epoch.
    """
    every = copies_of(corpus.utterances, copies.cells, copies.number)
    added = in_order([row for row in every if not row.is_original], "paper copies")
    # Equal parts, by hash, wherever a row's recording is.
    fold_of = {row: place * len(splits) // len(added) for place, row in enumerate(added)}
    return [_divided(split, fold_of, test_chooses) for split in splits]


def _divided(split: Split, fold_of: dict[ExpandedRow, int], test_chooses: bool) -> RowFold:
    """A fold whose added rows were divided as if they were recordings."""
    train = (
        *clean_rows(split.train),
        *(row for row, fold in fold_of.items() if fold != split.fold),
    )
    test = (
        *clean_rows(split.test),
        *(row for row, fold in fold_of.items() if fold == split.fold),
    )
    validation = test if test_chooses else tuple(clean_rows(split.validation))
    return RowFold(split.fold, train, validation, test, split.notes)
