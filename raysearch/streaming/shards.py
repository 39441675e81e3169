"""Audio files to feature shards with Ray Data, each row computed once and never again."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray

from raysearch.corpora.reasons import check_share
from raysearch.errors import DataError, InfrastructureError
from raysearch.features.babble import talkers_of
from raysearch.features.extractor import FeatureConfig
from raysearch.features.extractor_table import build_extractor
from raysearch.storage.corpora import send_files
from raysearch.streaming.featurize import publish_chunk
from raysearch.streaming.ray_tasks import run_tasks
from raysearch.streaming.split_rows import row_key
from raysearch.streaming.store import (
    MANIFEST,
    QUARANTINE,
    FeatureSource,
    feature_source,
    fetch_store,
    read_quarantine,
    send_missing,
    send_parts,
    write_manifest,
    write_store_json,
)
from raysearch.streaming.store_index import scan

if TYPE_CHECKING:
    from raysearch.corpora.utterance import Utterance

__all__ = ["FeatureSet", "ensure_features"]

# Small enough that progress moves and a lost task costs seconds, large enough that files stay few.
ROWS_PER_PART = 64
SECONDS_PER_PART = 3600.0
TASKS_AT_ONCE = 2
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Item:
    """One row to compute."""

    utterance: "Utterance"
    cell: str
    others: "tuple[Utterance, ...]" = ()

    def line(self) -> list[str | list[str]]:
        """What the task is told: id, path, content hash, cell, and what that mixes in."""
        row, others = self.utterance, [[other.path, other.content_hash] for other in self.others]
        return [row.id, row.path, row.content_hash, self.cell, *others]

    def paths(self) -> list[str]:
        """The files that the task reads."""
        return [self.utterance.path, *(other.path for other in self.others)]


@dataclass(frozen=True)
class FeatureSet:
    """The features of some utterances, all of them either stored or quarantined.

    Attributes:
        source: where they lie; this is what trials are given.
        config: what they were computed with.
        rows: key of each asked utterance and cell to (part, row in it, frames).
        quarantined: utterance id to the reason why it has no features.
    """

    source: FeatureSource
    config: FeatureConfig
    rows: dict[str, tuple[str, int, int]]
    quarantined: dict[str, str]

    @property
    def folder(self) -> str:
        """The store's folder."""
        return self.source.folder

    @property
    def num_bytes(self) -> int:
        """Bytes of the values as trials read them, float32."""
        return sum(frames for _, _, frames in self.rows.values()) * self.source.num_bins * 4


def ensure_features(
    utterances: "Sequence[Utterance]",
    stream: str,
    config: FeatureConfig,
    store: Path,
    *,
    corpus: str,
    cells: Sequence[str] = ("",),
    talkers: "Sequence[Utterance]" = (),
    on_progress: Progress | None = None,
    max_quarantined: float = 0.05,
    disk_bytes: int | None = None,
) -> FeatureSet:
    """Computes what is missing of ``utterances``' features and returns where all of them lie.

    Ray must be initialised if rows are missing; if none is, nothing of Ray is touched.

    Args:
        utterances: training and validation rows; test rows have no business here before
            they are evaluated.
        stream: the model's name for these features.
        config: the extractor's settings.
        store: the folder of all feature stores, readable by every node.
        corpus: the corpus' name, a part of the store's.
        cells: the cells that each utterance is wanted after; "" is the clean row.
        talkers: those that a cell of babble is mixed from.
        on_progress: told (utterances done, utterances missing at the start).
        max_quarantined: the largest bearable share of unusable audio, 0 to 1.
        disk_bytes: of parts that a node keeps of a store by URL; None for half of what is free.

    Raises:
        QuarantineError: a larger share cannot be used.
        DataError: a file changed since the corpus was read, or the store is another's.
        InfrastructureError: rows are still missing after the work.
    """
    source = replace(feature_source(store, corpus, stream, config), disk_bytes=disk_bytes)
    Path(source.folder).mkdir(parents=True, exist_ok=True)
    fetch_store(source)
    index = scan(source, repair=True)
    reasons = read_quarantine(source)
    missing = _missing(utterances, cells, talkers, {*index.locations, *reasons})
    if missing:
        reasons.update(_compute(missing, source, config, on_progress))
        fetch_store(source)  # what other machines have written
        write_store_json(Path(source.folder) / QUARANTINE, reasons)
        send_parts(source, [QUARANTINE])
        index = scan(source, repair=True)
    send_missing(source, index.parts)
    write_manifest(source, index.listing())
    send_parts(source, [MANIFEST])
    quarantined = {
        u.id: reasons[key]
        for u in utterances
        for cell in cells
        if (key := row_key(u.content_hash, cell)) in reasons
    }
    check_share(quarantined, len(utterances), max_quarantined)
    wanted = {row_key(u.content_hash, cell) for u in utterances for cell in cells} - set(reasons)
    if lost := wanted - set(index.locations):
        raise InfrastructureError(f"{source.folder}: {len(lost)} rows are missing after the work")
    return FeatureSet(source, config, {h: index.locations[h] for h in sorted(wanted)}, quarantined)


def _missing(
    utterances: "Sequence[Utterance]",
    cells: Sequence[str],
    talkers: "Sequence[Utterance]",
    known: set[str],
) -> "list[_Item]":
    """One utterance and cell for each key that is not known, in order of id and cell."""
    by_hash = {u.content_hash: u for u in sorted(utterances, key=lambda u: u.id, reverse=True)}
    return sorted(
        (
            _Item(u, cell, talkers_of(content_hash, talkers))
            for content_hash, u in by_hash.items()
            for cell in cells
            if row_key(content_hash, cell) not in known
        ),
        key=lambda item: (item.utterance.id, item.cell),
    )


def _compute(
    missing: "list[_Item]",
    source: FeatureSource,
    config: FeatureConfig,
    on_progress: Progress | None,
) -> dict[str, str]:
    """Runs the tasks; returns key to reason for what cannot be used."""
    reasons: dict[str, str] = {}
    done = 0
    if on_progress:
        on_progress(0, len(missing))
    for report in _run(missing, source, config):
        if report["error"]:
            raise DataError(report["error"])
        if report["machine"]:
            raise InfrastructureError(
                f"{source.folder}: features cannot be written: {report['machine']}; what is "
                "computed stays: go on with --resume once that is mended"
            )
        reasons.update(report["quarantined"])
        done += report["num_rows"]
        if on_progress:
            on_progress(done, len(missing))
    return reasons


def _run(
    missing: "list[_Item]", source: FeatureSource, config: FeatureConfig
) -> Iterator[dict[str, Any]]:
    """One task a part, each publishing its own; yields their reports as they finish."""
    items = [{"chunk": json.dumps([item.line() for item in chunk])} for chunk in _chunks(missing)]
    audio = send_files(path for item in missing for path in item.paths())
    kwargs = {"source": source, "config": config.model_dump(mode="json"), "audio": audio}
    for table in run_tasks(items, publish_chunk, kwargs, **_room(config)):
        for line in table["report"].to_pylist():
            yield json.loads(line)


def _room(config: FeatureConfig) -> dict[str, Any]:
    """What a task asks for.

    A CPU; where other searches hold them all, nothing, and few run beside those. If GPUs are free
    and of use, one each.
    """
    total, free = ray.cluster_resources().get("CPU", 0), ray.available_resources()
    held = total >= 1 > free.get("CPU", 0)
    room: dict[str, object] = {"num_cpus": 1}
    if held:
        room = {"num_cpus": 0, "tasks_at_once": TASKS_AT_ONCE}
    num_gpus = int(free.get("GPU", 0)) if build_extractor(config).wants_gpu else 0
    return {**room, "num_gpus": 1, "tasks_at_once": num_gpus} if num_gpus else room


def _chunks(missing: "list[_Item]") -> "Iterator[list[_Item]]":
    """Neighbours by id, few enough and short enough together for one task's memory."""
    chunk: list[_Item] = []
    seconds = 0.0
    for item in missing:
        longer = seconds + (item.utterance.duration_s or 0.0)
        if chunk and (len(chunk) == ROWS_PER_PART or longer > SECONDS_PER_PART):
            yield chunk
            chunk, longer = [], item.utterance.duration_s or 0.0
        chunk.append(item)
        seconds = longer
    if chunk:
        yield chunk
