"""What an arm says of its test rows, stored as soon as it is known.

So an evaluation of many arms that was cut off goes on with those that are missing, and the next one
takes up what an earlier one has scored. A file is used as long as it is of the same nets and rows.
"""

import json
import os
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.config.identity import stable_hash
from raysearch.evaluation.arm import Arm
from raysearch.evaluation.disturbed_rows import predict_disturbed
from raysearch.features.disturbance_table import Level
from raysearch.streaming.preparation import Progress

__all__ = ["Predicted", "has_predictions", "predicted"]

# Predictions, and the utterances that could not be used, with reasons.
Predicted = tuple[pa.Table, dict[str, str]]
_OF, _UNUSABLE = b"raysearch.of", b"raysearch.unusable"


def predicted(
    arm: Arm, storage: Path, on_progress: Progress | None = None, level: Level | None = None
) -> Predicted:
    """Read what the arm says of its test rows, or have it say it and store it.

    Args:
        arm: with its features' bank.
        storage: where features are kept.
        on_progress: told of features.
        level: of a disturbance that ``why_not`` has nothing against; None: clean rows.

    Returns:
        As ``predict_arm``.
    """
    found = _stored(arm, level)
    if found is None:
        found = predict_disturbed(arm, storage, level, on_progress)
        _store(arm, level, *found)
    return found


def has_predictions(arm: Arm, level: Level | None = None) -> bool:
    """Whether ``predicted`` would score nothing, unless what is stored is damaged."""
    try:
        notes = pq.read_schema(_file(arm, level)).metadata or {}
    except (OSError, pa.ArrowException):
        return False
    return bool(notes.get(_OF, b"").decode() == _what(arm, level))


def _stored(arm: Arm, level: Level | None) -> Predicted | None:
    try:
        table = pq.read_table(_file(arm, level))
        notes = table.schema.metadata or {}
        if notes[_OF].decode() != _what(arm, level):
            return None
        unusable = cast("dict[str, str]", json.loads(notes[_UNUSABLE]))
    except (OSError, KeyError, ValueError, pa.ArrowException):
        return None  # none there, or damaged: it is scored again
    return table.replace_schema_metadata(None), unusable


def _store(arm: Arm, level: Level | None, table: pa.Table, unusable: dict[str, str]) -> None:
    path = _file(arm, level)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.tmp")
    notes = {_OF: _what(arm, level).encode(), _UNUSABLE: json.dumps(unusable).encode()}
    pq.write_table(table.replace_schema_metadata(notes), staged)
    staged.replace(path)


def _file(arm: Arm, level: Level | None) -> Path:
    noise = "" if level is None else f"-{level.kind}-{level.name}"
    return arm.folder / arm.identity / f"test-{arm.method}{noise}.parquet"


def _what(arm: Arm, level: Level | None) -> str:
    """What decides the predictions: the nets, by where they are published, and the test rows.

    A search that went on may end with the same trial at a later epoch.
    """
    nets = [
        [[os.path.relpath(net.folder, arm.folder), net.inner, net.weight] for net in nets]
        for nets in arm.variants()
    ]
    rows = [
        [row.id, row.content_hash, row.speaker, row.emotion, row.sex, row.votes]
        + ([row.ratings] if arm.audited.split.dimensions else [])
        for row in arm.audited.split.test
    ]
    return stable_hash([nets, rows, None if level is None else level.cell], 32)
