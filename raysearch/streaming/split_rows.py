"""A split as workers need it: row keys and integer labels of training and validation only."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raysearch.corpora.reasons import commonest
from raysearch.corpora.utterance import Dropped
from raysearch.corpora.votes import distribution
from raysearch.errors import DataError, EmptyCorpusError

if TYPE_CHECKING:
    from raysearch.corpora.utterance import Utterance
    from raysearch.protocols.splits import Split

__all__ = ["RowTable", "SplitRows", "row_key", "speaker_key", "split_rows"]


def row_key(content_hash: str, cell: str = "") -> str:
    """The store's key of a recording's features, clean or after an augmentation cell."""
    return f"{content_hash}+{cell}" if cell else content_hash


def speaker_key(utterance: "Utterance") -> str:
    """A speaker's name that is no other corpus' speaker's."""
    return utterance.speaker_anywhere


@dataclass(frozen=True)
class RowTable:
    """Rows in a fixed order: utterance ids, keys of the store's rows, class indices.

    ``speakers`` may stay empty where nothing is normalised by speaker. ``shares`` has each row's
    distribution over the classes by its votes, of a row without any that of its label; it is empty
    where nobody voted on any row. ``ratings`` has each row's of the dimensions that are learned; it
    is empty where emotions are, and ``labels`` says nothing where they are not.
    """

    ids: tuple[str, ...]
    keys: tuple[str, ...]
    labels: tuple[int, ...]
    speakers: tuple[str, ...] = ()
    shares: tuple[tuple[float, ...], ...] = ()
    ratings: tuple[tuple[float, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int]) -> "RowTable":
        """The table of those rows alone, in the order in which they are named."""
        columns = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return RowTable(**{k: tuple(v[i] for i in rows) if v else () for k, v in columns.items()})


@dataclass(frozen=True)
class SplitRows:
    """Training and validation rows, and the names of the classes, or dimensions, in order.

    Test rows have no place here, so nothing that trains can read them. ``cells`` names the
    augmentation cells that the store holds of every training row, and of no other.
    """

    train: RowTable
    validation: RowTable
    labels: tuple[str, ...]
    cells: tuple[str, ...] = field(default=())

    def keys(self, cells: Sequence[str] = ()) -> tuple[str, ...]:
        """The store's keys: training rows, validation rows, then each cell's training rows."""
        unknown = set(cells) - set(self.cells)
        assert not unknown, f"cells without features: {sorted(unknown)}"
        return (*self.train.keys, *self.validation.keys, *self.augmented(cells))

    def augmented(self, cells: Sequence[str] | None = None) -> tuple[str, ...]:
        """The keys of the training rows after each of ``cells``, by default after all."""
        chosen = self.cells if cells is None else cells
        return tuple(row_key(key, cell) for cell in chosen for key in self.train.keys)


def split_rows(
    split: "Split", exclude: Collection[str] = (), cells: Sequence[str] = ()
) -> SplitRows:
    """The training and validation rows of ``split`` but for the ids in ``exclude`` (quarantined).

    Where ``exclude`` maps them to reasons, a refusal tells the commonest.

    Raises:
        DataError: a validation row's emotion never occurs in training.
        EmptyCorpusError: no training row is left, or none of the validation rows there were.
    """
    labels = tuple(split.labels)
    if split.dimensions:
        tables = [_rated(rows, labels, set(exclude)) for rows in (split.train, split.validation)]
    else:
        voted = any(row.votes for row in (*split.train, *split.validation))
        tables = [
            _table(rows, labels, set(exclude), voted) for rows in (split.train, split.validation)
        ]
    train, validation = tables
    if not len(train) or (split.validation and not len(validation)):
        raise EmptyCorpusError(
            f"fold {split.fold}: {len(train)} training and {len(validation)} validation rows "
            f"are usable; both must have some{_why(exclude)}"
        )
    return SplitRows(train, validation, labels, tuple(cells))


def _why(exclude: Collection[str]) -> str:
    if not isinstance(exclude, Mapping) or not exclude:
        return ""
    return f": {commonest([Dropped(name, why) for name, why in sorted(exclude.items())])}"


def _rated(
    utterances: "tuple[Utterance, ...]", dimensions: tuple[str, ...], exclude: set[str]
) -> RowTable:
    kept = [u for u in utterances if u.id not in exclude]
    return RowTable(
        ids=tuple(u.id for u in kept),
        keys=tuple(u.content_hash for u in kept),
        labels=(0,) * len(kept),
        speakers=tuple(speaker_key(u) for u in kept),
        ratings=tuple(tuple(dict(u.ratings)[name] for name in dimensions) for u in kept),
    )


def _table(
    utterances: "tuple[Utterance, ...]", labels: tuple[str, ...], exclude: set[str], voted: bool
) -> RowTable:
    index = {name: i for i, name in enumerate(labels)}
    kept = [u for u in utterances if u.id not in exclude]
    for utterance in kept:
        if utterance.emotion not in index:
            raise DataError(
                f"utterance {utterance.id!r}: no training row has its emotion "
                f"{utterance.emotion!r} (training has: {', '.join(labels)})"
            )
    return RowTable(
        ids=tuple(u.id for u in kept),
        keys=tuple(u.content_hash for u in kept),
        labels=tuple(index[u.emotion] for u in kept),
        speakers=tuple(speaker_key(u) for u in kept),
        shares=tuple(distribution(u.votes, u.emotion, labels) for u in kept) if voted else (),
    )
