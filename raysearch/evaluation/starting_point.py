"""Checks and states, in an evaluation, the pre-trained weights that a search started from."""

import shutil
from collections.abc import Callable
from pathlib import Path

from raysearch.published_folder import MANIFEST
from raysearch.run_folder import RunFolder
from raysearch.streaming.preparation import AuditedSplit
from raysearch.training.start_weights import PRETRAINED
from raysearch.tuning.budgets import Spent
from raysearch.tuning.start_record import kept_folder, kept_record, learned_by, publish_start
from raysearch.tuning.tuner import Begun
from raysearch.workers.pool import WorkerPool

__all__ = ["FIELD", "begin_as", "begun_by", "check_start", "start_notes"]

FIELD = "training.pretrained"


def check_start(run: RunFolder, audited: AuditedSplit) -> None:
    """Refuse a split whose held-out rows are known to what the run's trials started from.

    Raises:
        LeakError: they are.
        DataError: what they started from is gone.
    """
    if (found := learned_by(run)) is not None:
        record, learned = found
        for split in (audited.split, *audited.inner):
            learned.check(split, record.origin)


def start_notes(run: RunFolder) -> list[str]:
    """Write the notes about pre-training that must stand beside the run's figures."""
    found = learned_by(run)
    return [f"trials started from {found[0].line()}"] if found else []


def begun_by(run: RunFolder) -> Begun:
    """What every trial has of the run's ``pretrained/``, and what that cost."""
    record = kept_record(run.root / PRETRAINED)
    return Begun({FIELD: record.digest}, Spent(record.wall_s, record.core_s))


def begin_as(outer: RunFolder, inner: RunFolder) -> Callable[[WorkerPool], Begun]:
    """The beginning of a search that starts from what ``outer`` did, at the same cost."""

    def begin(pool: WorkerPool) -> Begun:
        del pool  # nothing is to be learned
        if kept_folder(inner) is None:
            folder = kept_folder(outer)
            assert folder is not None  # the split was audited by it
            files = list(folder.iterdir())

            def copy(stage: Path) -> None:
                for path in files:
                    if path.name != MANIFEST:
                        shutil.copyfile(path, stage / path.name)

            publish_start(inner, copy)
        return begun_by(inner)

    return begin
