"""The stream tier: Ray Data reads parts ahead of training, each about once an epoch.

A task reads a few parts, fetched to the node if they are not there, and cuts from each every crop
that the epoch needs within a horizon. Training takes the crops out of the tasks' tables, which stay
in the object store until the last of them is used.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

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
# Crops that one task cuts. A task a part, of 64 rows each, cost more than reading them.
TASK_BYTES = 16 << 20


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
            [{"reads": reads} for reads in self._shared_out(requests)],
            _cut_parts,
            {"sources": self._sources},
            num_cpus=0,  # worker groups may hold every CPU, and wait for these tasks
            tasks_at_once=TASKS_AT_ONCE,
            ordered=True,
            node_id=ray.get_runtime_context().get_node_id(),
            memory=max(MIN_AHEAD_BYTES, horizon * bytes_a_crop),
        )
        with closing(tables):
            answers = (row for table in tables for row in _answers(table))
            arrived = low = 0
            for batch in batches:
                high = low + len(batch.rows)
                wanted = max(one.last_read(low, high) for one in crops.values())
                while arrived <= wanted:
                    name = requests[arrived]["stream"]
                    num_bins = self._sources[name].num_bins
                    crops[name].values[arrived] = next(answers).reshape(-1, num_bins)
                    arrived += 1
                yield {name: self._assembled(name, one, batch, low) for name, one in crops.items()}
                low = high

    def close(self) -> None:
        """Do nothing: nothing is held between passes."""
        self._rows.clear()

    def _shared_out(self, requests: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Reads in their order, as many together as one task does."""
        tasks: list[list[dict[str, Any]]] = []
        room = 0
        for request in requests:
            size = 4 * sum(request["lengths"]) * self._sources[request["stream"]].num_bins
            if not tasks or size > room:
                tasks.append([])
                room = TASK_BYTES
            tasks[-1].append(request)
            room -= size
        return tasks

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


def _answers(table: pa.Table) -> Iterator[np.ndarray]:
    """The values that each read of a task brought, flat and in place."""
    for values, error in zip(table["values"], table["error"], strict=True):
        raise_error(error.as_py())
        yield values.values.to_numpy()


def _cut_parts(table: pa.Table, sources: Mapping[str, FeatureSource]) -> pa.Table:
    """A row a read: the frames of every crop that a part is asked for, or an error."""
    cut = [_cut(request, sources) for request in table.to_pylist()[0]["reads"]]
    offsets = np.cumsum([0, *(flat.size for flat, _ in cut)])
    flat = pa.array(np.concatenate([flat for flat, _ in cut]), pa.float32())
    values = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat)
    return pa.table({"values": values, "error": pa.array([error for _, error in cut], pa.string())})


def _cut(
    request: Mapping[str, Any], sources: Mapping[str, FeatureSource]
) -> tuple[np.ndarray, str]:
    source = sources[request["stream"]]
    try:
        found = stored_rows(source, request["part"], request["num_bytes"], request["rows"])
        wanted = zip(request["rows"], request["starts"], request["lengths"], strict=True)
        flat = np.concatenate([found[r][start : start + n].ravel() for r, start, n in wanted])
        if flat.size != sum(request["lengths"]) * source.num_bins:
            raise DataError(f"{source.folder}/{request['part']}: its index tells other frames")
    except (RaysearchError, OSError) as problem:
        return np.empty(0, np.float32), error_text(problem)
    return flat, ""
