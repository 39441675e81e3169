"""One fold's test rows under one kind of noise at one level: scored, or why they cannot be."""

from pathlib import Path

import pyarrow as pa

from raysearch.corpora.utterance import Utterance
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.predict import predict_arm
from raysearch.features.babble import marked, training_talkers
from raysearch.features.disturbance_table import KINDS, Level
from raysearch.streaming.preparation import Progress

__all__ = ["predict_disturbed", "why_not"]


def predict_disturbed(
    arm: Arm, storage: Path, level: Level | None, on_progress: Progress | None = None
) -> tuple[pa.Table, dict[str, str]]:
    """Score the arm's test rows at ``level``, or clean ones at None.

    Args:
        arm: with its features' bank.
        storage: where features are kept.
        level: one that ``why_not`` has nothing against.
        on_progress: told of features.

    Returns:
        As ``predict_arm``.
    """
    if level is None:
        return predict_arm(arm, storage, on_progress)
    if not KINDS[level.kind].mixes_others:
        return predict_arm(arm, storage, on_progress, cell=level.cell)
    talkers = _talkers(arm)
    cell = marked(level.cell, talkers)
    return predict_arm(arm, storage, on_progress, cell=cell, talkers=talkers)


def why_not(arm: Arm, level: Level) -> str | None:
    """Why the arm's test rows cannot be scored at ``level``; None if they can."""
    if KINDS[level.kind].mixes_others and not _talkers(arm):
        return "every training speaker is a test speaker, too"
    return level.lacking


def _talkers(arm: Arm) -> tuple[Utterance, ...]:
    """The training rows that babble is mixed from: usable ones, and none of a test speaker."""
    assert arm.bank is not None
    usable, split = set(arm.bank.all_rows.train.keys), arm.audited.split
    return training_talkers([row for row in split.train if row.content_hash in usable], split.test)
