"""The task that turns one chunk of audio files into one published part; runs on Ray's workers."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from raysearch.errors import RaysearchError
from raysearch.features.audio import AudioError, read_audio
from raysearch.features.extractor import Extractor
from raysearch.features.table import build_extractor, feature_config
from raysearch.streaming.parts import PartRow, part_name, write_part
from raysearch.streaming.store import FeatureSource

__all__ = ["publish_chunk"]

# Waveforms held at once: a chunk's long files must not add up to gigabytes.
UTTERANCES_AT_ONCE = 8


def publish_chunk(table: pa.Table, source: FeatureSource, config: dict[str, Any]) -> pa.Table:
    """Featurizes each chunk of ``table`` and publishes its part; one JSON report a chunk.

    A deliberate error travels in the report, so that the driver raises it as itself; a crash of
    the machine stays an exception, which Ray retries.
    """
    _one_thread()
    extractor = build_extractor(feature_config(config))
    reports = []
    for line in table["chunk"].to_pylist():
        files = [tuple(item) for item in json.loads(line)]
        report = {"num_rows": len(files), "quarantined": {}, "error": ""}
        try:
            report["quarantined"] = _publish(files, source, extractor)
        except RaysearchError as error:
            report["error"] = str(error)
        reports.append(json.dumps(report))
    return pa.table({"report": reports})


def _publish(
    files: list[tuple[str, str, str]], source: FeatureSource, extractor: Extractor
) -> dict[str, str]:
    """Writes the part of ``files`` (id, path, content hash); returns hash to reason of bad ones."""
    rows: list[PartRow] = []
    quarantined: dict[str, str] = {}
    for start in range(0, len(files), UTTERANCES_AT_ONCE):
        kept, waveforms = [], []
        for name, path, content_hash in files[start : start + UTTERANCES_AT_ONCE]:
            try:
                waveforms.append(_read(path, content_hash, extractor))
                kept.append((name, content_hash))
            except AudioError as error:
                quarantined[content_hash] = error.reason
        arrays = extractor(waveforms) if waveforms else []
        rows += [PartRow(*key, values) for key, values in zip(kept, arrays, strict=True)]
    if rows:
        target = Path(source.folder) / part_name(row.content_hash for row in rows)
        write_part(target, rows, source.identity)
    return quarantined


def _read(path: str, content_hash: str, extractor: Extractor) -> Any:
    """The waveform, after a check that the file still is what its hash, the row's key, says."""
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RaysearchError(f"{path}: cannot be opened ({error.strerror})") from error
    if digest[: len(content_hash)] != content_hash:
        raise RaysearchError(f"{path}: changed since the corpus was read; start again")
    return read_audio(path, extractor.config.sample_rate)


def _one_thread() -> None:
    """Tasks share the cores already; threads inside each would only contend."""
    import torch

    torch.set_num_threads(1)
