"""The stream tier: Ray Data reads parts ahead of training, each about once an epoch.

A task reads one part, fetched to the node if it is not there, and cuts from it every crop that the
epoch needs within a horizon. Training takes the crops out of the tasks' tables, which stay in the
object store until the last of them is used.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import ray
import torch

from raysearch.errors import DataError, RaysearchError
from raysearch.streaming.fetch import stored_rows
from raysearch.streaming.ray_tasks import error_text, raise_error, run_tasks
from raysearch.streaming.read_plan import Crops, StoredRows, plan_reads
from raysearch.streaming.store import FeatureSource, fetch_indices
from raysearch.streaming.store_index import scan
from raysearch.streaming.windows import WindowBatch

if TYPE_CHECKING:
    from raysearch.streaming.arrays import RowStats

__all__ = ["StreamReader"]

TASKS_AT_ONCE = 2
# Crops that wait for their batch, of all streams together: little beside what a worker needs.
MAX_HELD_BYTES = 1 << 30
MIN_AHEAD_BYTES = 64 << 20


class StreamReader:
    """Reads every pass over batches as a Ray Data stream of its own, and keeps no values.

    Args:
        sources: the streams' stores.
        keys: the rows that windows count, in order.
        horizon: windows that may be cut ahead of their time, as far as memory lets.

    Raises:
        DataError: rows that a store does not hold.
    """

    def __init__(
        self, sources: Mapping[str, FeatureSource], keys: Sequence[str], horizon: int
    ) -> None:
        self.stats: dict[str, RowStats] = {}
        self._sources = dict(sources)
        self._rows: dict[str, StoredRows] = {}
        self._horizon = horizon
        for name, source in sources.items():
            fetch_indices(source)
            index = scan(source)
            index.check(source.folder, keys)
            self.stats[name] = index.stats(keys)
            self._rows[name] = StoredRows.of(index, keys)

    def read(self, batches: Sequence[WindowBatch]) -> Generator[dict[str, torch.Tensor]]:
        """As ``WindowReader.read``, on the CPU; leaving early ends the reading tasks."""
        bytes_a_crop = self._bytes_a_crop(batches)
        horizon = max(1, min(self._horizon, MAX_HELD_BYTES // bytes_a_crop))
        crops, requests = plan_reads(self._rows, batches, horizon)
        tables = run_tasks(
            requests,
            _cut_part,
            {"sources": self._sources},
            num_cpus=0,  # worker groups may hold every CPU, and wait for these tasks
            tasks_at_once=TASKS_AT_ONCE,
            ordered=True,
            node_id=ray.get_runtime_context().get_node_id(),
            memory=max(MIN_AHEAD_BYTES, horizon * bytes_a_crop),
        )
        with closing(tables):
            arrived = low = 0
            for batch in batches:
                high = low + len(batch.rows)
                wanted = max(one.last_read(low, high) for one in crops.values())
                while arrived <= wanted:
                    name = requests[arrived]["stream"]
                    crops[name].values[arrived] = _values(next(tables), self._sources[name])
                    arrived += 1
                yield {name: self._assembled(name, one, batch, low) for name, one in crops.items()}
                low = high

    def close(self) -> None:
        """Do nothing: nothing is held between passes."""
        self._rows.clear()

    def _bytes_a_crop(self, batches: Sequence[WindowBatch]) -> int:
        """Of all streams, float32."""
        return sum(
            4 * source.num_bins * max((batch.num_frames[name] for batch in batches), default=1)
            for name, source in self._sources.items()
        )

    def _assembled(self, name: str, crops: Crops, batch: WindowBatch, low: int) -> torch.Tensor:
        """x_BTF of the crops from ``low`` on, padded at the stream's floor."""
        source = self._sources[name]
        shape = (len(batch.rows), batch.num_frames[name], source.num_bins)
        x_BTF = np.full(shape, source.floor, np.float32)
        crops.take(x_BTF, low)
        return torch.from_numpy(x_BTF)


def _values(table: pa.Table, source: FeatureSource) -> np.ndarray:
    """The frames of a task's crops after each other, (S, F), in place."""
    raise_error(table["error"][0].as_py())
    values: np.ndarray = table["values"][0].values.to_numpy()
    return values.reshape(-1, source.num_bins)


def _cut_part(table: pa.Table, sources: Mapping[str, FeatureSource]) -> pa.Table:
    """The frames of every crop that one part is asked for, and an error if there was one."""
    request = table.to_pylist()[0]
    source = sources[request["stream"]]
    flat, error = np.empty(0, np.float32), ""
    try:
        found = stored_rows(source, request["part"], request["num_bytes"], request["rows"])
        wanted = zip(request["rows"], request["starts"], request["lengths"], strict=True)
        flat = np.concatenate([found[r][start : start + n].ravel() for r, start, n in wanted])
        if flat.size != sum(request["lengths"]) * source.num_bins:
            raise DataError(f"{source.folder}/{request['part']}: its index tells other frames")
    except (RaysearchError, OSError) as problem:
        error = error_text(problem)
    offsets = pa.array([0, flat.size], pa.int64())
    values = pa.LargeListArray.from_arrays(offsets, pa.array(flat, pa.float32()))
    return pa.table({"values": values, "error": pa.array([error], pa.string())})
