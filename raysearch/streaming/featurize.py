"""The task that turns one chunk of audio files into one published part; runs on Ray's workers."""

import gc
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import torch

from raysearch.config.identity import seed_from
from raysearch.errors import InfrastructureError, RaysearchError
from raysearch.features.audio import AudioError, read_audio
from raysearch.features.disturbances import changed_by
from raysearch.features.extractor import Extractor
from raysearch.features.extractor_table import build_extractor, feature_config
from raysearch.files import sha256_of
from raysearch.paths import why_not
from raysearch.storage.corpora import fetch_file
from raysearch.streaming.part_cache import PartCache
from raysearch.streaming.split_rows import row_key
from raysearch.streaming.store import FeatureSource, send_parts, source_replica
from raysearch.streaming.store_index import publish_index
from raysearch.streaming.store_parts import PartRow, part_name, write_part

__all__ = ["publish_chunk"]

# Waveforms held at once: a chunk's long files must not add up to gigabytes.
UTTERANCES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Row:
    """One row to compute; ``others`` are paths and content hashes of what its cell mixes in."""

    name: str
    path: str
    content_hash: str
    cell: str
    others: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, item: list[Any]) -> "_Row":
        """From what the driver wrote of it."""
        name, path, content_hash, cell, *others = item
        return cls(name, path, content_hash, cell, tuple((path, hash_) for path, hash_ in others))

    @property
    def paths(self) -> tuple[str, ...]:
        return self.path, *(path for path, _ in self.others)


def publish_chunk(
    table: pa.Table, source: FeatureSource, config: dict[str, object], audio: str
) -> pa.Table:
    """Featurizes each chunk of ``table`` and publishes its part; one JSON report a chunk.

    ``audio`` is the URL of the storage that the files are part of; empty for plain files.

    A deliberate error travels in the report, so that the driver raises it as itself, and so does
    what the system refuses, such as room on a full disk; a crash of the machine stays an exception,
    which Ray retries.
    """
    _one_thread()
    extractor = build_extractor(feature_config(config))
    if ray.get_gpu_ids():  # a task that was given none may still see them
        extractor.device = _gpu()
    reports = []
    for line in table["chunk"].to_pylist():
        files = [_Row.of(item) for item in json.loads(line)]
        report = {"num_rows": len(files), "quarantined": {}, "error": "", "machine": ""}
        try:
            for path in {path for row in files for path in row.paths}:
                fetch_file(path, audio)
            report["quarantined"] = _publish(files, source, extractor)
        except InfrastructureError as error:
            report["machine"] = str(error)
        except RaysearchError as error:
            report["error"] = str(error)
        except OSError as error:
            report["machine"] = why_not(error)
        reports.append(json.dumps(report))
    on_gpu = extractor.device == "cuda"
    del extractor
    if on_gpu:
        _free_gpu()
    return pa.table({"report": reports})


def _publish(files: "list[_Row]", source: FeatureSource, extractor: Extractor) -> dict[str, str]:
    """Writes the part of ``files``; key to reason of bad ones."""
    replica = source_replica(source)  # makes the folder, on this machine as well
    rows: list[PartRow] = []
    quarantined: dict[str, str] = {}
    for start in range(0, len(files), UTTERANCES_AT_ONCE):
        kept, waveforms = [], []
        for row in files[start : start + UTTERANCES_AT_ONCE]:
            key = row_key(row.content_hash, row.cell)
            try:
                waveforms.append(_waveform(row, extractor.config.sample_rate))
                kept.append((row.name, key))
            except AudioError as error:
                quarantined[key] = error.reason
        for (name, key), values in zip(kept, _frames(extractor, waveforms), strict=True):
            if np.isfinite(values).all():
                rows.append(PartRow(name, key, values))
            else:
                quarantined[key] = _not_finite(extractor, values)
    if rows:
        target = Path(source.folder) / part_name(row.content_hash for row in rows)
        write_part(target, rows, source.identity, half=extractor.half)
        send_parts(source, [target.name])
        publish_index(source, target.name)
        if replica:  # which has it now
            PartCache(replica, target.parent.parent, source.disk_bytes).trim()
    return quarantined


def _frames(extractor: Extractor, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
    # What overflows is found in the values: the warning would only be printed by a worker.
    with np.errstate(all="ignore"):
        return extractor(waveforms) if waveforms else []


def _not_finite(extractor: Extractor, values_TF: np.ndarray) -> str:
    name, bad = extractor.config.extractor, ~np.isfinite(values_TF)
    return (
        f"{name}: {int(bad.sum())} of {values_TF.size} values are NaN or infinite"
        f" (in {int(bad.any(axis=-1).sum())} of {len(values_TF)} frames)"
    )


def _waveform(row: _Row, sample_rate: int) -> np.ndarray:
    """The row's waveform, after its cell."""
    waveform_N = _read(row.path, row.content_hash, sample_rate)
    if not row.cell:
        return waveform_N
    others = [_read(path, content_hash, sample_rate) for path, content_hash in row.others]
    seed = seed_from(row.content_hash, row.cell)
    return changed_by(waveform_N, sample_rate, row.cell, seed, others)


def _read(path: str, content_hash: str, sample_rate: int) -> np.ndarray:
    """The waveform of the file, once it is seen to be what its hash says."""
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise RaysearchError(f"{path}: cannot be opened ({error.strerror})") from error
    if digest[: len(content_hash)] != content_hash:
        raise RaysearchError(f"{path}: changed since the corpus was read; start again")
    return read_audio(path, sample_rate)


def _gpu() -> str:
    """The task's GPU, if torch can use it."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _free_gpu() -> None:
    """Give back what torch would keep: Ray keeps this process, and training wants the memory."""
    gc.collect()
    torch.cuda.empty_cache()


def _one_thread() -> None:
    """Tasks share the cores already; threads inside each would only contend."""
    torch.set_num_threads(1)
