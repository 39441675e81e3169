"""A feature store's folder: its manifest, which rows it holds, what it quarantined.

``<store>/<corpus>-<stream>-<hash>/`` holds ``part-*.parquet``, ``quarantine.json`` and, written
last, ``manifest.json``. Parts that a manifest does not list yet are adopted, torn ones removed:
an interrupted run loses only the part it was writing. Beside each part stands its index
(``part_index.py``), written once the part is where it will stay.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Collection, Iterable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from raysearch.config.identity import canonical_json, stable_hash
from raysearch.errors import DataError, InfrastructureError
from raysearch.features.extractor import FeatureConfig, StreamKind
from raysearch.features.extractor_table import build_extractor
from raysearch.files import write_text
from raysearch.storage.replica import Replica, open_storage, replica_of
from raysearch.streaming.part_index import INDEX, index_name, part_of

__all__ = [
    "MANIFEST",
    "QUARANTINE",
    "FeatureSource",
    "check_manifest",
    "feature_source",
    "feature_store",
    "fetch_indices",
    "fetch_store",
    "read_quarantine",
    "send_missing",
    "send_parts",
    "source_replica",
    "stored_names",
    "write_manifest",
    "write_store_json",
]

# Part of every store's name: raised when stored values or columns change their meaning.
STORE_VERSION = 1
MAX_JSON_BYTES = 64 << 20
FETCHES_AT_ONCE = 16
MANIFEST, QUARANTINE = "manifest.json", "quarantine.json"


@dataclass(frozen=True)
class FeatureSource:
    """Names where one stream's features lie, and is small enough to travel with every trial.

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
        disk_bytes: of fetched parts that a node keeps; None for half of what is free.
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
    disk_bytes: int | None = None

    @property
    def key(self) -> str:
        """A short hash of what the values are."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:16]


def feature_store(storage: Path) -> Path:
    """The folder of all feature sets under ``storage``."""
    return storage / ".features"


def feature_source(store: Path, corpus: str, stream: str, config: FeatureConfig) -> FeatureSource:
    """The source that ``config`` stands for; nothing is read or written."""
    identity: dict[str, object] = {
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


def fetch_indices(source: FeatureSource) -> None:
    """Fetch the parts' indices that this machine lacks; a plain folder has them."""
    if replica := source_replica(source):
        folder, names = Path(source.folder), stored_names(source)
        _forget_lost(folder, names)
        _fetch(replica, folder, _indices(names))


def fetch_store(source: FeatureSource) -> None:
    """Fetch what is needed to go on with the store: all but the values.

    Of an earlier version's store the parts are fetched as well, for they have no indices yet.
    """
    if (replica := source_replica(source)) is None:
        return
    folder = Path(source.folder)
    # Replaced while it grows, unlike a part.
    (folder / QUARANTINE).unlink(missing_ok=True)
    names = stored_names(source)
    _forget_lost(folder, names)
    values = {name for name in names if index_name(name) in names}
    orphans = {name for name in names if name.startswith(INDEX)} - _indices(names)
    _fetch(replica, folder, names - values - orphans)


def stored_names(source: FeatureSource) -> set[str]:
    """The files of the store that its storage has; none of a plain folder."""
    if (replica := source_replica(source)) is None:
        return set()
    return {Path(key).name for key in replica.objects.keys(replica.key(Path(source.folder)))}


def _indices(names: Set[str]) -> set[str]:
    """The indices of parts that the storage has."""
    return {name for name in names if name.startswith(INDEX) and part_of(name) in names}


def _forget_lost(folder: Path, names: Set[str]) -> None:
    """Remove the indices here of parts that the storage has lost: with one a part may be evicted.

    A part that still is here is sent again, and then has an index again.
    """
    for path in folder.glob(f"{INDEX}*.parquet"):
        if part_of(path.name) not in names:
            path.unlink(missing_ok=True)


def _fetch(replica: Replica, folder: Path, names: Iterable[str]) -> None:
    absent = [replica.key(folder / name) for name in names if not (folder / name).exists()]
    with ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:
        list(pool.map(lambda key: replica.fetch([key]), absent))


def send_parts(source: FeatureSource, names: Sequence[str]) -> None:
    """Send files of the store, in this order."""
    if replica := source_replica(source):
        replica.send(Path(source.folder) / name for name in names)


def send_missing(source: FeatureSource, parts: Collection[str]) -> None:
    """Send what the storage lacks: a part may have been written and its sender killed.

    A part goes before its index; one that is not on this machine is in the storage.
    """
    if source_replica(source):
        there = stored_names(source)
        names = [name for part in sorted(parts) for name in (part, index_name(part))]
        here = [name for name in names if (Path(source.folder) / name).exists()]
        send_parts(source, [name for name in here if name not in there])


def source_replica(source: FeatureSource) -> Replica | None:
    """The storage that the store is part of, made known on this machine; None for a folder."""
    if not source.storage:
        return None
    folder = Path(source.folder)
    if replica_of(folder) is None:
        open_storage(source.storage)  # on this machine as well
    folder.mkdir(parents=True, exist_ok=True)
    return replica_of(folder)


def write_manifest(source: FeatureSource, parts: Sequence[tuple[str, int, int]]) -> None:
    """Lists the parts (name, rows, bytes); replaced whole, after the parts it names."""
    folder = Path(source.folder)
    listed = [{"name": name, "rows": rows, "bytes": size} for name, rows, size in sorted(parts)]
    manifest = {"identity": json.loads(source.identity), "parts": listed}
    path = folder / MANIFEST
    if not path.exists() or _read_json(path) != manifest:
        write_store_json(path, manifest)


def read_quarantine(source: FeatureSource) -> dict[str, str]:
    """Read why some rows have no features: content hash to reason."""
    path = Path(source.folder) / QUARANTINE
    data = _read_json(path) if path.exists() else None
    if not isinstance(data, dict):
        return {}
    return {str(key): str(reason) for key, reason in data.items()}


def write_store_json(path: Path, data: object) -> None:
    """Replace a file of a store, under a staged name that the next look into the store clears.

    Raises:
        InfrastructureError: it cannot be written.
    """
    staged = path.with_name(f".staged-{uuid.uuid4().hex}")
    try:
        write_text(path, json.dumps(data, indent=1, sort_keys=True), staged=staged)
    except OSError as error:
        raise InfrastructureError(f"{path}: cannot be written ({error})") from error


def check_manifest(folder: Path, identity: str) -> None:
    """Refuse a folder whose manifest names another configuration.

    Raises:
        DataError: it does.
    """
    path = folder / MANIFEST
    manifest = _read_json(path) if path.exists() else None
    if isinstance(manifest, dict) and manifest.get("identity") != json.loads(identity):
        raise DataError(
            f"{path}: names another configuration than its folder; move the folder away"
        )


def _read_json(path: Path) -> object:
    """The file's data, or None if it is oversized or not JSON: then it is written anew."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
