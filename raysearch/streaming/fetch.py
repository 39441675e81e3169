"""Reads rows of a feature store with Ray Data, also where every CPU is reserved."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from raysearch.errors import DataError
from raysearch.streaming.parts import read_rows
from raysearch.streaming.ray_tasks import run_tasks
from raysearch.streaming.store import FeatureSource, fetch_parts

__all__ = ["fetch_rows"]

TASKS_AT_ONCE = 2


def fetch_rows(
    parts: Sequence[tuple[str, Sequence[int]]], source: FeatureSource
) -> Iterator[tuple[str, int, np.ndarray]]:
    """(part, row, values (T, F)) for the rows asked of each part, in no particular order.

    Its tasks ask for no CPU: worker groups may hold all of them, and would wait for this data
    for ever.

    Raises:
        DataError: a part that is damaged or lacks a row.
    """
    items = [{"part": part, "rows": [int(row) for row in rows]} for part, rows in parts]
    for table in run_tasks(
        items, _read_part, {"source": source}, num_cpus=0, tasks_at_once=TASKS_AT_ONCE
    ):
        for i in range(table.num_rows):
            if error := table["error"][i].as_py():
                raise DataError(error)
            values = table["values"][i].values.to_numpy()
            yield (
                table["part"][i].as_py(),
                table["row"][i].as_py(),
                values.reshape(-1, source.num_bins),
            )


def _read_part(table: pa.Table, source: FeatureSource) -> pa.Table:
    """One output row a feature row; an error travels as a row, so that it arrives as itself."""
    parts: list[str] = []
    rows: list[int] = []
    values: list[np.ndarray] = []
    error = ""
    try:
        for part, asked in zip(table["part"].to_pylist(), table["rows"].to_pylist(), strict=True):
            fetch_parts(source, [part])
            path = Path(source.folder) / part
            for row, (_, values_TF) in read_rows(
                path, source.identity, asked, source.num_bins
            ).items():
                parts.append(part)
                rows.append(row)
                values.append(values_TF.ravel())
    except DataError as problem:
        parts, rows, values, error = [""], [0], [np.empty(0, np.float32)], str(problem)
    return pa.table(
        {
            "part": pa.array(parts, pa.string()),
            "row": pa.array(rows, pa.int64()),
            "values": pa.array(values, pa.list_(pa.float32())),
            "error": pa.array([error] * len(parts), pa.string()),
        }
    )
