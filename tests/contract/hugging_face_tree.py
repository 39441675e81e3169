"""Shards of a Hugging Face dataset as ``datasets`` writes them, without that package."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def rows_table(
    audio: Sequence[tuple[bytes | None, str | None] | None],
    columns: dict[str, list[object]],
    classes: dict[str, list[str]] | None = None,
) -> pa.Table:
    """Rows with embedded audio, and what the schema says of them.

    Args:
        audio: bytes and file name of each row.
        columns: the other columns.
        classes: column to the names of its ClassLabel.
    """
    cells = [None if one is None else {"bytes": one[0], "path": one[1]} for one in audio]
    table = pa.table({"audio": pa.array(cells, AUDIO), **columns})
    features: dict[str, object] = {"audio": {"sampling_rate": 16000, "_type": "Audio"}}
    for name in columns:
        names = (classes or {}).get(name)
        label = {"names": names, "_type": "ClassLabel"}
        features[name] = label if names else {"dtype": "string", "_type": "Value"}
    metadata = json.dumps({"info": {"features": features}})
    return table.replace_schema_metadata({"huggingface": metadata})


def write_parquet(path: Path, table: pa.Table, row_group_size: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=row_group_size)


def write_arrow(path: Path, table: pa.Table) -> None:
    """A shard as ``save_to_disk`` writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
