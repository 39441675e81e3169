"""Rows of a feature store, from wherever their parts are: in tasks of Ray Data, or in place."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from raysearch.errors import DataError, RaysearchError
from raysearch.streaming.part_cache import PartCache
from raysearch.streaming.ray_tasks import error_text, raise_error, run_tasks
from raysearch.streaming.store import FeatureSource, source_replica
from raysearch.streaming.store_parts import read_rows

__all__ = ["fetch_rows", "stored_rows"]

TASKS_AT_ONCE = 2


def stored_rows(
    source: FeatureSource, part: str, num_bytes: int, rows: Sequence[int]
) -> dict[int, np.ndarray]:
    """The asked rows of a part, float32 (T, F), the part fetched to this node if it is not here.

    Args:
        source: whose part.
        part: its name.
        num_bytes: its size.
        rows: in the part.

    Raises:
        DataError: damaged, also after it was fetched again.
        InfrastructureError: it cannot be fetched.
    """
    path = Path(source.folder) / part
    replica = source_replica(source)
    if replica is None:  # read where it was computed
        return _values(path, source, rows)
    cache = PartCache(replica, path.parent.parent, source.disk_bytes)
    try:
        with cache.held(path, num_bytes):
            return _values(path, source, rows)
    except DataError:  # this copy may have been torn by a crash
        cache.drop(path)
        with cache.held(path, num_bytes):
            return _values(path, source, rows)


def fetch_rows(
    parts: Sequence[tuple[str, int, Sequence[int]]], source: FeatureSource, node_id: str
) -> Iterator[tuple[str, int, np.ndarray]]:
    """(part, row, values (T, F)) for the rows asked of each part, in no particular order.

    Its tasks ask for no CPU: worker groups may hold all of them, and would wait for this data
    for ever.

    Args:
        parts: name, bytes and rows of each.
        source: whose parts.
        node_id: the node that reads them, and keeps them if they had to be fetched.

    Raises:
        DataError: a part that is damaged or lacks a row.
        InfrastructureError: a part that cannot be fetched.
    """
    items = [
        {"part": part, "num_bytes": num_bytes, "rows": [int(row) for row in rows]}
        for part, num_bytes, rows in parts
    ]
    for table in run_tasks(
        items,
        _read_part,
        {"source": source},
        num_cpus=0,
        tasks_at_once=TASKS_AT_ONCE,
        node_id=node_id,
    ):
        for i in range(table.num_rows):
            raise_error(table["error"][i].as_py())
            values = table["values"][i].values.to_numpy()
            yield (
                table["part"][i].as_py(),
                table["row"][i].as_py(),
                values.reshape(-1, source.num_bins),
            )


def _values(path: Path, source: FeatureSource, rows: Sequence[int]) -> dict[int, np.ndarray]:
    found = read_rows(path, source.identity, rows, source.num_bins)
    return {row: values_TF for row, (_, values_TF) in found.items()}


def _read_part(table: pa.Table, source: FeatureSource) -> pa.Table:
    """One output row a feature row; an error travels as a row, so that it arrives as itself."""
    parts: list[str] = []
    rows: list[int] = []
    values: list[np.ndarray] = []
    error = ""
    try:
        for item in table.to_pylist():
            found = stored_rows(source, item["part"], item["num_bytes"], item["rows"])
            for row, values_TF in found.items():
                parts.append(item["part"])
                rows.append(row)
                values.append(values_TF.ravel())
    except (RaysearchError, OSError) as problem:
        parts, rows, values = [""], [0], [np.empty(0, np.float32)]
        error = error_text(problem)
    return pa.table(
        {
            "part": pa.array(parts, pa.string()),
            "row": pa.array(rows, pa.int64()),
            "values": pa.array(values, pa.list_(pa.float32())),
            "error": pa.array([error] * len(parts), pa.string()),
        }
    )
