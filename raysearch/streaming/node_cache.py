"""The host tier: one copy of the features a node in shared memory, owned by one actor a node.

Trials come and go; the arrays stay under a byte budget, least recently used first out. Workers
read them in place (zero-copy views of the object store).

A cache lives where a slot runs, and ends with its node's last slot: to an autoscaler a node with
any actor on it is busy, and would be paid for to the end of the search.
"""

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raysearch.errors import DataError
from raysearch.streaming.arrays import FeatureArrays
from raysearch.streaming.fetch import fetch_rows
from raysearch.streaming.store import FeatureSource, fetch_indices
from raysearch.streaming.store_index import StoreIndex, scan

__all__ = ["NodeCache", "SlotCaches", "cached_arrays", "host_budget", "node_cache", "read_arrays"]

DEFAULT_SHARE = 0.5
# An actor ends with its creator's last handle: a cache that a worker made must outlive the trial.
_MADE_HERE: dict[str, object] = {}


class NodeCache:
    """Holds feature arrays of a node by source and rows; the least recently used go first.

    Args:
        max_bytes: the budget; one entry larger than all of it is kept alone.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, tuple[Any, int]] = OrderedDict()

    def get(self, key: str) -> list[object] | None:
        """A list holding the reference of the arrays of ``key``, or None if they are not here."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return [self._entries[key][0]]

    def load(self, key: str, source: FeatureSource, keys: Sequence[str]) -> list[object]:
        """Return what ``get`` does, after reading the rows if no other group has."""
        if (found := self.get(key)) is not None:
            return found
        fetch_indices(source)
        index = scan(source)
        index.check(source.folder, keys)
        num_bytes = sum(index.locations[row][2] for row in keys) * source.num_bins * 4
        self._make_room(num_bytes)
        self._entries[key] = (ray.put(read_arrays(source, index, keys)), num_bytes)
        return [self._entries[key][0]]

    def state(self) -> dict[str, int]:
        """The bytes of each entry, least recently used first."""
        return {key: num_bytes for key, (_, num_bytes) in self._entries.items()}

    def _make_room(self, num_bytes: int) -> None:
        while self._entries and num_bytes + sum(self.state().values()) > self._max_bytes:
            self._entries.popitem(last=False)


class SlotCaches:
    """The caches of the nodes where slots run, held by the driver.

    Args:
        make: gives a handle to the cache of a node.
    """

    def __init__(self, make: Callable[[str], object] | None = None) -> None:
        self._make = make or _make
        self._handles: dict[str, object] = {}
        self._nodes: dict[int, AbstractSet[str]] = {}

    def use(self, slot: int, nodes: AbstractSet[str]) -> None:
        """Make the caches of ``nodes``, on which ``slot`` runs, where there are none yet."""
        self._nodes[slot] = nodes
        for node in nodes - self._handles.keys():
            self._handles[node] = self._make(node)
        self.keep(self._nodes.keys())

    def keep(self, slots: Collection[int]) -> None:
        """End the caches of nodes that none of these slots runs on."""
        self._nodes = {slot: nodes for slot, nodes in self._nodes.items() if slot in slots}
        used = {node for nodes in self._nodes.values() for node in nodes}
        self._handles = {node: one for node, one in self._handles.items() if node in used}


def node_cache() -> Any:
    """The cache actor of this node, made by this process if it is not there.

    The driver makes one before it assigns a trial. A group that has moved to another node within
    a trial has none yet.
    """
    node_id = ray.get_runtime_context().get_node_id()
    name = _name(node_id)
    with contextlib.suppress(ValueError):
        return ray.get_actor(name)
    _MADE_HERE[name] = _make(node_id)
    return _MADE_HERE[name]


def _name(node_id: str) -> str:
    # Each search's own: with its driver it ends.
    return f"raysearch-features-{ray.get_runtime_context().get_job_id()}-{node_id[:16]}"


def _make(node_id: str) -> Any:
    actor = ray.remote(NodeCache).options(
        name=_name(node_id),
        get_if_exists=True,
        num_cpus=0,
        max_restarts=3,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False),
    )
    return actor.remote(host_budget(node_id))


def cached_arrays(cache: Any, source: FeatureSource, keys: Sequence[str]) -> FeatureArrays:
    """The arrays of ``keys`` in this order, read-only views of the node's shared memory.

    Raises:
        DataError: rows that the store does not hold, or damaged ones.
    """
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]
    key = f"{source.stream}-{source.key}-{digest}"
    found = ray.get(cache.get.remote(key))
    if found is None:
        name = f"load features {source.stream}"
        found = ray.get(cache.load.options(name=name).remote(key, source, list(keys)))
    arrays: FeatureArrays = ray.get(found[0])
    return arrays


def host_budget(node_id: str | None = None) -> int:
    """Return the bytes that a cache on ``node_id`` may hold: half of the object store."""
    node_id = node_id or ray.get_runtime_context().get_node_id()
    for node in ray.nodes():
        if node["NodeID"] == node_id:
            return int(DEFAULT_SHARE * node["Resources"].get("object_store_memory", 0))
    return 0


def read_arrays(source: FeatureSource, index: StoreIndex, keys: Sequence[str]) -> FeatureArrays:
    """Read the rows, whole part by part, into one array in the order of ``keys``.

    Args:
        source: where they lie.
        index: of all rows there.
        keys: of those that are read.

    Raises:
        DataError: damaged rows.
    """
    stats = index.stats(keys)
    num_frames_R = stats.num_frames
    num_frames = int(num_frames_R.sum())
    arrays = FeatureArrays(np.empty((num_frames, source.num_bins), dtype=np.float32), stats)
    offsets = arrays.offsets
    wanted: dict[str, dict[int, list[int]]] = {}
    for position, key in enumerate(keys):
        part, row, _ = index.locations[key]
        wanted.setdefault(part, {}).setdefault(row, []).append(position)
    parts = [(part, index.parts[part].num_bytes, sorted(rows)) for part, rows in wanted.items()]
    for part, found in fetch_rows(source, parts):
        for row, values_TF in found.items():
            for position in wanted[part][row]:
                if values_TF.shape[0] != num_frames_R[position]:
                    raise DataError(f"{source.folder}/{part}: changed while being read")
                arrays.values[offsets[position] : offsets[position] + len(values_TF)] = values_TF
    return arrays
