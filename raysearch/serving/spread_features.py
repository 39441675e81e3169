"""Features of many recordings, computed by all CPUs of a Ray, for a model that scores them here.

Front ends take most of the time that a prediction takes. Each CPU computes with one thread, and the
nets score what comes back in the same groups as they would alone, so that every prediction is the
same to the bit as that of a process with one thread. Several threads may sum in another order, and
so change the last bits of a feature.
"""

import json
import pickle
from collections.abc import Generator, Sequence
from functools import cache
from pathlib import Path

import pyarrow as pa
import torch

from raysearch.features.audio import AudioError
from raysearch.inference.emotion_model import EmotionModel, load
from raysearch.inference.recognition import Features, read_recording
from raysearch.inference.recordings import Recording
from raysearch.ray_cluster.session import ClusterSession
from raysearch.serving.model_replica import HeldModel, held_model
from raysearch.serving.packed_model import packed, unpacked
from raysearch.streaming.ray_tasks import run_tasks

__all__ = ["spread_features"]

RECORDINGS_A_TASK = 16


def spread_features(
    session: ClusterSession, folder: Path, recordings: Sequence[Recording]
) -> Generator[Features | AudioError]:
    """Each recording's features, in their order, or why it cannot be used.

    Args:
        session: the connected Ray; nodes of a cluster must see the recordings by their paths.
        folder: the ``best/`` folder, which nodes need not see.
        recordings: the files.
    """
    if session.local:
        yield from _spread(str(folder.absolute()), recordings)
        return
    with held_model(packed(folder)) as model:
        yield from _spread(model, recordings)


def _spread(
    model: str | HeldModel, recordings: Sequence[Recording]
) -> Generator[Features | AudioError]:
    starts = range(0, len(recordings), RECORDINGS_A_TASK)
    chunks = [recordings[start : start + RECORDINGS_A_TASK] for start in starts]
    items = [{"chunk": json.dumps([_written(one) for one in chunk])} for chunk in chunks]
    for table in run_tasks(items, _featurized, {"model": model}, num_cpus=1, ordered=True):
        for cell in table["found"].to_pylist():
            for name, found in pickle.loads(cell):
                yield AudioError(name, found) if isinstance(found, str) else found


def _written(recording: Recording) -> list[str]:
    path = str(recording.path.expanduser().absolute())
    return [recording.name, path, recording.speaker, recording.missing]


def _featurized(table: pa.Table, model: str | HeldModel) -> pa.Table:
    """A task of Ray Data: one chunk's features, or the reason, of each recording."""
    torch.set_num_threads(1)  # its one CPU
    loaded = _loaded(model)
    cells = []
    for line in table["chunk"].to_pylist():
        found: list[tuple[str, Features | str]] = []
        for name, path, speaker, missing in json.loads(line):
            try:
                waveform = read_recording(Recording(name, Path(path), speaker, missing))
                found.append((name, loaded.features(waveform)))
            except AudioError as error:
                found.append((name, error.reason))
        cells.append(pickle.dumps(found))
    return pa.table({"found": pa.array(cells, pa.large_binary())})


@cache
def _loaded(model: str | HeldModel) -> EmotionModel:
    """The model, once a process."""
    if isinstance(model, str):
        return load(model)
    with unpacked(model.files()) as folder:
        return load(folder)
