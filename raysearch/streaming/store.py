"""A feature store's folder: its manifest, which rows it holds, what it quarantined.

``<store>/<corpus>-<stream>-<hash>/`` holds ``part-*.parquet``, ``quarantine.json`` and, written
last, ``manifest.json``. Parts that a manifest does not list yet are adopted, torn ones removed:
an interrupted run loses only the part it was writing.
"""

import contextlib
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from raysearch.config.identity import canonical_json, stable_hash
from raysearch.errors import DataError, InfrastructureError
from raysearch.features.extractor import FeatureConfig, StreamKind
from raysearch.features.table import build_extractor
from raysearch.storage.replica import Replica, open_storage, replica_of
from raysearch.streaming.parts import PartIndex, read_index

__all__ = [
    "MANIFEST",
    "QUARANTINE",
    "FeatureSource",
    "StoreIndex",
    "feature_source",
    "fetch_parts",
    "read_quarantine",
    "scan",
    "send_missing",
    "send_parts",
    "write_json",
    "write_manifest",
]

# Part of every store's name: raised when stored values or columns change their meaning.
STORE_VERSION = 1
MAX_JSON_BYTES = 64 << 20
STALE_SECONDS = 3600.0
MANIFEST, QUARANTINE = "manifest.json", "quarantine.json"


@dataclass(frozen=True)
class FeatureSource:
    """Where one stream's features lie, light enough to travel with every trial.

    Attributes:
        stream: the model's name for it: ``"mel"``.
        folder: absolute path of the store's folder.
        identity: what the store was computed with, as canonical JSON; parts must carry it.
        num_bins: F.
        floor: the value of silence, for padding.
        frames_per_second: frames a second of audio; 0 for one frame an utterance.
        kind: what the values are.
        num_layers, num_channels: equal blocks that the bins fall into.
        encoder: an encoder's sizes, where the network encodes the waveform itself.
        storage: the URL of the storage that the folder is part of; empty for a plain folder.
    """

    stream: str
    folder: str
    identity: str
    num_bins: int
    floor: float
    frames_per_second: float
    kind: StreamKind = "spectrogram"
    num_layers: int = 1
    num_channels: int = 1
    encoder: str = ""
    storage: str = ""

    @property
    def key(self) -> str:
        """A short hash of what the values are."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class StoreIndex:
    """Every row of a store: its key to (part, row in it, frames), and the parts' indices."""

    places: dict[str, tuple[str, int, int]]
    parts: dict[str, PartIndex]

    def sums(self, hashes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Sums and sums of squares over frames, each float64 (R, F), of the asked rows."""
        found = [self.places[h][:2] for h in hashes]
        sums_RF = np.stack([self.parts[part].bin_sum[row] for part, row in found])
        sumsq_RF = np.stack([self.parts[part].bin_sumsq[row] for part, row in found])
        return sums_RF, sumsq_RF


def feature_source(store: Path, corpus: str, stream: str, config: FeatureConfig) -> FeatureSource:
    """The source that ``config`` stands for; nothing is read or written."""
    identity: dict[str, Any] = {
        "version": STORE_VERSION,
        "corpus": corpus,
        "stream": stream,
        "config": config.identity(),
    }
    extractor = build_extractor(config)
    if extractor.half:  # what was stored as float32 before there was a choice stays valid
        identity["values"] = "float16"
    label = "-".join(re.sub(r"[^A-Za-z0-9_]+", "_", name) for name in (corpus, stream))
    return FeatureSource(
        stream=stream,
        folder=str(store.absolute() / f"{label}-{stable_hash(identity)}"),
        identity=canonical_json(identity),
        num_bins=extractor.num_bins,
        floor=extractor.floor,
        frames_per_second=extractor.frames_per_second,
        kind=extractor.kind,
        num_layers=extractor.num_layers,
        num_channels=extractor.num_channels,
        encoder=extractor.encoder,
        storage=replica.objects.url if (replica := replica_of(store)) else "",
    )


def fetch_parts(source: FeatureSource, parts: Sequence[str] | None = None) -> None:
    """Fetch what this machine lacks of the store: ``parts``, by default every one."""
    replica = _replica(source)
    if replica is None:
        return
    folder = Path(source.folder)
    if parts is None:
        parts = [Path(key).name for key in replica.objects.keys(replica.key(folder))]
        # Replaced while it grows, unlike a part.
        (folder / QUARANTINE).unlink(missing_ok=True)
    replica.fetch(replica.key(folder / name) for name in parts if not (folder / name).exists())


def send_parts(source: FeatureSource, names: Sequence[str]) -> None:
    """Send files of the store, in this order."""
    if replica := _replica(source):
        replica.send(Path(source.folder) / name for name in names)


def send_missing(source: FeatureSource, parts: Collection[str]) -> None:
    """Send the parts that the storage lacks: one may have been written and its sender killed."""
    if replica := _replica(source):
        there = {Path(key).name for key in replica.objects.keys(replica.key(Path(source.folder)))}
        send_parts(source, sorted(set(parts) - there))


def _replica(source: FeatureSource) -> Replica | None:
    if not source.storage:
        return None
    open_storage(source.storage)  # on this machine as well
    Path(source.folder).mkdir(parents=True, exist_ok=True)
    return replica_of(Path(source.folder))


def scan(source: FeatureSource, *, repair: bool = False) -> StoreIndex:
    """Every sound part of the folder, whether the manifest lists it or not.

    Args:
        source: whose folder.
        repair: remove torn parts and old staged files, so that their rows are computed again;
            only who writes the store may ask for it.

    Raises:
        DataError: the manifest names another configuration.
    """
    folder = Path(source.folder)
    _check_manifest(folder, source.identity)
    if repair:
        _remove_stale(folder)
    places: dict[str, tuple[str, int, int]] = {}
    parts: dict[str, PartIndex] = {}
    for path in sorted(folder.glob("part-*.parquet")):
        try:
            index = read_index(path, source.identity, source.num_bins)
        except DataError:
            if repair:
                path.unlink(missing_ok=True)
            continue
        parts[path.name] = index
        for row, content_hash in enumerate(index.hashes):
            places.setdefault(content_hash, (path.name, row, int(index.num_frames[row])))
    return StoreIndex(places, parts)


def write_manifest(source: FeatureSource, parts: dict[str, PartIndex]) -> None:
    """Lists the parts with rows and bytes; replaced whole, after the parts it names."""
    folder = Path(source.folder)
    listed = [
        {"name": name, "rows": len(part.hashes), "bytes": (folder / name).stat().st_size}
        for name, part in sorted(parts.items())
    ]
    manifest = {"identity": json.loads(source.identity), "parts": listed}
    path = folder / MANIFEST
    if not path.exists() or _read_json(path) != manifest:
        write_json(path, manifest)


def read_quarantine(source: FeatureSource) -> dict[str, str]:
    """Content hash to the reason why it has no features."""
    path = Path(source.folder) / QUARANTINE
    data = _read_json(path) if path.exists() else None
    if not isinstance(data, dict):
        return {}
    return {str(key): str(reason) for key, reason in data.items()}


def write_json(path: Path, data: Any) -> None:
    """Replaces ``path`` by ``data`` whole or not at all, synced."""
    staged = path.with_name(f".staged-{uuid.uuid4().hex}")
    try:
        with staged.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    except OSError as error:
        raise InfrastructureError(f"{path}: cannot be written ({error})") from error
    finally:
        staged.unlink(missing_ok=True)


def _remove_stale(folder: Path) -> None:
    """Removes what killed writers left; a living writer's file is younger."""
    for staged in folder.glob(".staged-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - staged.stat().st_mtime > STALE_SECONDS:
                staged.unlink()


def _check_manifest(folder: Path, identity: str) -> None:
    path = folder / MANIFEST
    manifest = _read_json(path) if path.exists() else None
    if isinstance(manifest, dict) and manifest.get("identity") != json.loads(identity):
        raise DataError(
            f"{path}: names another configuration than its folder; move the folder away"
        )


def _read_json(path: Path) -> Any:
    """The file's data, or None if it is oversized or not JSON: then it is written anew."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
