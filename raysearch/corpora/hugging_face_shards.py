"""The files of a Hugging Face dataset: its shards, their columns, and rows read piece by piece.

A shard is Parquet, as the Hub lays datasets out, or an Arrow file, as ``save_to_disk`` writes them.
The names of a ClassLabel stand in the schema's own metadata, below the key ``huggingface``. Never
more of a shard is in memory than one row group of the wanted columns.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from raysearch.corpora.sides import SIDES
from raysearch.corpora.signatures import HEAD_BYTES, seems
from raysearch.corpora.utterance import Dropped
from raysearch.errors import ConfigError

__all__ = ["Shard", "batches", "class_names", "shards"]

_SUFFIXES = (".parquet", ".arrow")
_MAX_METADATA_BYTES = 1 << 24
_ROWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of rows.

    Attributes:
        path: where it is.
        name: its path below the dataset's folder, without its ending.
        split: the set that its name or folder says it is part of, as ``train``; empty if none.
        schema: its columns.
    """

    path: Path
    name: str
    split: str
    schema: pa.Schema


def shards(root: Path) -> list[Shard | Dropped]:
    """The files of rows below ``root``, sorted; what is called so and is none is dropped."""
    found: list[Shard | Dropped] = []
    for path in sorted(path for path in root.rglob("*") if path.suffix.lower() in _SUFFIXES):
        inner = path.relative_to(root)
        if any(part.startswith(".") for part in inner.parts) or not path.is_file():
            continue
        reason = _refused(path, root)
        if reason:
            found.append(Dropped(str(path), reason))
            continue
        name = inner.with_suffix("").as_posix()
        found.append(Shard(path, name, _split_of(inner), _schema(path)))
    return found


def _refused(path: Path, root: Path) -> str:
    if not path.resolve().is_relative_to(root):
        return "a link that leaves the folder"
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    what = seems(head)
    if path.suffix.lower() == ".parquet":
        why = f", but {what}" if what else ""
        return "" if head.startswith(b"PAR1") else f"no Parquet file{why}"
    return f"no Arrow file, but {what}" if what else ""


def _split_of(inner: Path) -> str:
    """``train`` of ``data/train-00000-of-00002.parquet`` or ``default/train/0000.parquet``."""
    for word in (inner.stem.split("-")[0], *reversed(inner.parent.parts)):
        if word.lower() in SIDES:
            return word.lower()
    return ""


def _schema(path: Path) -> pa.Schema:
    try:
        if path.suffix.lower() == ".parquet":
            return pq.read_schema(path)
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            return reader.schema
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"{path}: cannot be read as rows ({_first_line(error)})") from error


def batches(shard: Shard, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of ``shard``, ``columns`` only, one row group after the other.

    Raises:
        ConfigError: the file is damaged.
    """
    try:
        if shard.path.suffix.lower() == ".parquet":
            with pq.ParquetFile(shard.path) as file:
                for group in range(file.num_row_groups):
                    yield from file.iter_batches(_ROWS_AT_ONCE, [group], list(columns))
        else:
            with pa.memory_map(str(shard.path)) as source, pa.ipc.open_stream(source) as reader:
                for batch in reader:
                    yield batch.select(list(columns))
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"{shard.path}: damaged ({_first_line(error)})") from error


def class_names(shard: Shard, column: str) -> list[str] | None:
    """The names of a ClassLabel's numbers; None if ``column`` is not a ClassLabel.

    Raises:
        ConfigError: the metadata are not what ``datasets`` writes.
    """
    text: bytes = (shard.schema.metadata or {}).get(b"huggingface", b"{}")
    try:
        if len(text) > _MAX_METADATA_BYTES:
            raise ValueError("too large")
        info = _inside(json.loads(text), "info", "features", column)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{shard.path}: its metadata are not of datasets ({error})") from None
    names = info.get("names")
    if info.get("_type") != "ClassLabel" or names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{shard.path}: the names of {column!r} are no list of words")
    return list(names)


def _inside(data: object, *keys: str) -> Mapping[str, object]:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
