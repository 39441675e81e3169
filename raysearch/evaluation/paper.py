"""Runs the protocol that a paper used beside the honest one: optimistic at best, often invalid."""

from dataclasses import replace
from pathlib import Path

from raysearch.evaluation.arm import Arm
from raysearch.protocols.splits import Split
from raysearch.streaming.preparation import AuditedSplit, prepare_split

__all__ = ["paper_arm"]


def paper_arm(own: Arm, folder: Path, storage: Path) -> Arm:
    """The winner's settings on the first fold of the paper's split, to be trained there.

    Args:
        own: the winner on the fold that it was searched on.
        folder: where the retrainings are kept.
        storage: where the demo corpus is kept.

    Raises:
        DataError: the corpus cannot be divided that way.
    """
    published = own.spec.published
    changes = {"name": "paper", "folds": "default", "fold": 0}
    if published.split == "leave_one_speaker_out":
        changes |= {"name": "speaker_independent", "folds": published.split}
    spec = replace(own.spec, protocol=own.spec.protocol.model_copy(update=changes))
    audited = prepare_split(spec, storage)
    if published.epoch_from == "test":
        split = _epoch_from_test(audited.split)
        audited = AuditedSplit(audited.corpus, split, audited.audit)
    return replace(own, spec=spec, audited=audited, searched=(), folder=folder)


def _epoch_from_test(split: Split) -> Split:
    """Validation rows are learned from, too, and test rows stand in for them."""
    train = tuple(sorted((*split.train, *split.validation), key=lambda row: row.id))
    labels = {row.emotion for row in train}
    chosen_by = tuple(row for row in split.test if row.emotion in labels)
    return replace(split, train=train, validation=chosen_by, notes=())
