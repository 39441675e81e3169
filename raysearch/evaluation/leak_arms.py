"""The rows of the leak study's four arms, in every fold; as many to learn from in each.

- A: expand, then split at random, and let the test rows choose the epoch (siblings and speakers on
  both sides), as the paper did;
- B: split at random, then expand the training side (speakers on both sides);
- C: split by speaker, then expand the training side (honest);
- D: as B, with the labels of training and validation shuffled (chance).

Each recording is tested once in each arm, so that all arms have the same test speakers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from raysearch.corpora.utterance import Corpus
from raysearch.evaluation.expanded_rows import ExpandedRow, clean_rows, in_order
from raysearch.evaluation.row_folds import (
    Copies,
    RowFold,
    divided,
    followed,
    splits_of,
)
from raysearch.spec import SearchSpec

__all__ = ["arms_of"]


def arms_of(spec: SearchSpec, corpus: Corpus, cells: Sequence[str]) -> dict[str, list[RowFold]]:
    """Split a corpus in the four ways that the study compares.

    Args:
        spec: says how speakers are kept apart, which is arm C.
        corpus: the recordings.
        cells: what a recording is expanded by.

    Returns:
        Arm to its folds.

    Raises:
        DataError: the corpus cannot be divided, or a split by speaker leaks.
    """
    copies = Copies(tuple(cells), 1 + len(cells))
    protocol = spec.protocol.model_copy(update={"name": "paper", "folds": "default"})
    at_random = splits_of(replace(spec, protocol=protocol), corpus)
    random_folds = [followed(split, copies) for split in at_random]
    arms = {
        "A": divided(at_random, corpus, copies, test_chooses=True),
        "B": random_folds,
        "C": [followed(split, copies) for split in splits_of(spec, corpus)],
        "D": [_shuffled(fold) for fold in random_folds],
    }
    return _equal(arms)


def _equal(arms: Mapping[str, Sequence[RowFold]]) -> dict[str, list[RowFold]]:
    """The arms with as many training rows in each fold of each."""
    size = min(len(fold.train) for folds in arms.values() for fold in folds)
    return {
        name: [
            replace(fold, train=tuple(in_order(fold.train, "leak-study rows")[:size]))
            for fold in folds
        ]
        for name, folds in arms.items()
    }


def _shuffled(fold: RowFold) -> RowFold:
    """The fold with other labels to learn from; all rows of a recording have the same one."""

    def other(rows: Sequence[ExpandedRow]) -> tuple[ExpandedRow, ...]:
        own = clean_rows(list({row.utterance.id: row.utterance for row in rows}.values()))
        order = in_order(own, "leak-study-labels")
        labels = {
            row.utterance.id: next_one.emotion for row, next_one in zip(own, order, strict=True)
        }
        return tuple(replace(row, emotion=labels[row.utterance.id]) for row in rows)

    return replace(fold, train=other(fold.train), validation=other(fold.validation))
