"""The stream tier: Ray Data reads an epoch's windows ahead of training, batch by batch."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from raysearch.errors import DataError
from raysearch.streaming.arrays import RowStats
from raysearch.streaming.parts import read_rows
from raysearch.streaming.ray_tasks import run_tasks
from raysearch.streaming.store import FeatureSource, fetch_parts, scan
from raysearch.streaming.windows import WindowBatch

__all__ = ["StreamReader"]

TASKS_AT_ONCE = 2


class StreamReader:
    """Keeps no values: every pass over batches is its own short-lived Ray Data stream.

    Args:
        sources: the streams' stores.
        hashes: the rows that windows count, in order.
        num_cpus: CPUs a reading task asks for; 0 where worker groups hold them all.
    """

    def __init__(
        self, sources: Mapping[str, FeatureSource], hashes: Sequence[str], num_cpus: float
    ) -> None:
        self.stats: dict[str, RowStats] = {}
        self._sources = dict(sources)
        self._places: dict[str, list[tuple[str, int]]] = {}
        self._num_cpus = num_cpus
        for name, source in sources.items():
            index = scan(source)
            if absent := [h for h in hashes if h not in index.places]:
                raise DataError(f"{source.folder}: {len(absent)} rows are not in the store")
            found = [index.places[h] for h in hashes]
            num_frames_R = np.array([frames for _, _, frames in found], dtype=np.int64)
            self.stats[name] = RowStats(num_frames_R, *index.sums(hashes))
            self._places[name] = [(part, row) for part, row, _ in found]

    def read(self, batches: Sequence[WindowBatch]) -> Iterator[dict[str, torch.Tensor]]:
        """As ``WindowReader.read``, on the CPU; leaving early ends the reading tasks."""
        tables = run_tasks(
            [self._request(batch) for batch in batches],
            _cut_batch,
            {"sources": self._sources},
            num_cpus=self._num_cpus,
            tasks_at_once=TASKS_AT_ONCE,
            ordered=True,
        )
        for batch, table in zip(batches, tables, strict=True):
            yield self._tensors(batch, table)

    def close(self) -> None:
        """Nothing is held between passes."""
        self._places.clear()

    def _request(self, batch: WindowBatch) -> dict[str, Any]:
        """One Ray Data row: what a task needs to cut this batch."""
        request: dict[str, Any] = {}
        for name in self._sources:
            found = [self._places[name][row] for row in batch.rows]
            request[f"{name}:parts"] = [part for part, _ in found]
            request[f"{name}:rows"] = [row for _, row in found]
            request[f"{name}:starts"] = batch.starts[name].tolist()
            request[f"{name}:num_frames"] = batch.num_frames[name]
        return request

    def _tensors(self, batch: WindowBatch, table: pa.Table) -> dict[str, torch.Tensor]:
        if error := table["error"][0].as_py():
            raise DataError(error)
        inputs = {}
        for name, source in self._sources.items():
            shape = (len(batch.rows), batch.num_frames[name], source.num_bins)
            values = table[name][0].values.to_numpy()
            inputs[name] = torch.from_numpy(np.array(values.reshape(shape)))
        return inputs


def _cut_batch(table: pa.Table, sources: Mapping[str, FeatureSource]) -> pa.Table:
    """Every stream's windows of one batch, flattened, and an error if there was one."""
    request = table.to_pylist()[0]
    columns: dict[str, pa.Array] = {}
    error = ""
    for name, source in sources.items():
        values = np.empty(0, np.float32)
        try:
            values = _windows(request, name, source).ravel()
        except DataError as problem:
            error = str(problem)
        offsets = pa.array([0, values.size], pa.int64())
        columns[name] = pa.LargeListArray.from_arrays(offsets, pa.array(values, pa.float32()))
    return pa.table({**columns, "error": pa.array([error], pa.string())})


def _windows(request: dict[str, Any], name: str, source: FeatureSource) -> np.ndarray:
    """x_BTF of one stream, padded at its floor; each part is opened once."""
    parts, rows = request[f"{name}:parts"], request[f"{name}:rows"]
    num_frames = request[f"{name}:num_frames"]
    x_BTF = np.full((len(rows), num_frames, source.num_bins), source.floor, np.float32)
    wanted: dict[str, list[int]] = {}
    for position, part in enumerate(parts):
        wanted.setdefault(part, []).append(position)
    for part, positions in wanted.items():
        asked = [rows[position] for position in positions]
        fetch_parts(source, [part])
        path = Path(source.folder) / part
        found = read_rows(path, source.identity, asked, source.num_bins)
        for position in positions:
            start = request[f"{name}:starts"][position]
            values_TF = found[rows[position]][1][start : start + num_frames]
            x_BTF[position, : len(values_TF)] = values_TF
    return x_BTF
