"""In what order a pass over batches reads the parts of a store: each about once.

Plain numpy. Axis letters: C crops in the order in which training meets them, R rows, S frames of
the crops of one read after each other, F bins, B windows of a batch, T frames.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from raysearch.streaming.store_index import StoreIndex
from raysearch.streaming.windows import WindowBatch

__all__ = ["Crops", "StoredRows", "plan_reads", "read_units"]


@dataclass(frozen=True)
class StoredRows:
    """Where in a store the rows of one stream lie.

    Attributes:
        parts: the names of the parts that hold any.
        sizes: their bytes on disk.
        part_R: each row's part, as a position in ``parts``.
        row_R: each row's place in its part.
    """

    parts: list[str]
    sizes: list[int]
    part_R: np.ndarray
    row_R: np.ndarray

    @classmethod
    def of(cls, index: StoreIndex, keys: Sequence[str]) -> "StoredRows":
        """Look the rows of ``keys`` up, in this order."""
        found = [index.locations[key] for key in keys]
        parts = sorted({part for part, _, _ in found})
        number = {part: i for i, part in enumerate(parts)}
        return cls(
            parts,
            [index.parts[part].num_bytes for part in parts],
            np.array([number[part] for part, _, _ in found], dtype=np.int64),
            np.array([row for _, row, _ in found], dtype=np.int64),
        )


@dataclass
class Crops:
    """A stream's crops in one pass, and which read brings each.

    Attributes:
        row_C, start_C, length_C: its row, first frame and valid frames.
        read_C: the number of the read that cuts it.
        offset_C: its first frame among those of that read.
        left: crops that a read brings and that are still to be used.
        values: frames of the reads that have arrived, (S, F).
    """

    row_C: np.ndarray
    start_C: np.ndarray
    length_C: np.ndarray
    read_C: np.ndarray
    offset_C: np.ndarray
    left: dict[int, int] = field(default_factory=dict)
    values: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, stream: str, batches: Sequence[WindowBatch]) -> "Crops":
        """Take the crops of ``stream``, before any read is planned."""
        row_C = _joined([batch.rows for batch in batches])
        start_C = _joined([batch.starts[stream] for batch in batches])
        length_C = _joined([batch.lengths[stream] for batch in batches])
        return cls(row_C, start_C, length_C, np.zeros_like(row_C), np.zeros_like(row_C))

    def last_read(self, low: int, high: int) -> int:
        """The highest number of a read that the crops ``low`` to ``high`` need; -1 for none."""
        return int(self.read_C[low:high].max(initial=-1))

    def take(self, x_BTF: np.ndarray, low: int) -> None:
        """Put the crops from ``low`` on at the start of each row; let go of what is used up."""
        for position, x_TF in enumerate(x_BTF):
            crop = low + position
            read, first = int(self.read_C[crop]), int(self.offset_C[crop])
            length = int(self.length_C[crop])
            x_TF[:length] = self.values[read][first : first + length]
            self.left[read] -= 1
            if not self.left[read]:
                del self.values[read]


def plan_reads(
    rows: Mapping[str, StoredRows], batches: Sequence[WindowBatch], horizon: int
) -> tuple[dict[str, Crops], list[dict[str, Any]]]:
    """Plan each stream's crops, and the reads that bring them, in the order they are needed.

    Args:
        rows: where each stream's rows lie.
        batches: what the pass reads.
        horizon: crops that a read may cut ahead.

    Returns:
        The crops; and a plain mapping a read: stream, part, its bytes, and the row, first frame
        and length of every crop.
    """
    crops = {stream: Crops.of(stream, batches) for stream in rows}
    reads: list[tuple[int, str, np.ndarray]] = []
    for stream, stored in rows.items():
        units = read_units(stored.part_R[crops[stream].row_C], horizon)
        reads += [(int(unit[0]), stream, unit) for unit in units]
    reads.sort(key=lambda read: read[:2])
    return crops, [
        _request(number, stream, unit, crops[stream], rows[stream])
        for number, (_, stream, unit) in enumerate(reads)
    ]


def read_units(parts_C: np.ndarray, horizon: int) -> list[np.ndarray]:
    """The crops that each read of a part cuts, in the order in which they are first needed.

    A read takes all crops of its part that come within ``horizon`` crops of the first; later ones
    wait for another read, so that no more crops than a horizon's are held long before their time.
    Where an epoch is shuffled in stretches and the horizon is one of them, a part is read once for
    each stretch that its rows fall into, which is once for most.

    Args:
        parts_C: the number of the part that has each crop.
        horizon: crops that may be cut ahead, at least 1.

    Returns:
        Ascending crop numbers a read; together they are every crop once.
    """
    order_C = np.argsort(parts_C, kind="stable")
    bounds = np.flatnonzero(np.diff(parts_C[order_C])) + 1
    units: list[np.ndarray] = []
    for crops in np.split(order_C, bounds):
        low = 0
        while low < len(crops):
            high = int(np.searchsorted(crops, crops[low] + horizon))
            units.append(crops[low:high])
            low = high
    return sorted(units, key=lambda crops: int(crops[0]))


def _request(
    number: int, stream: str, unit: np.ndarray, crops: Crops, rows: StoredRows
) -> dict[str, Any]:
    """The read ``number`` of ``plan_reads``, noted with its crops."""
    length_U = crops.length_C[unit]
    crops.read_C[unit] = number
    crops.offset_C[unit] = np.cumsum(length_U) - length_U
    crops.left[number] = len(unit)
    part = int(rows.part_R[crops.row_C[unit[0]]])
    return {
        "stream": stream,
        "part": rows.parts[part],
        "num_bytes": rows.sizes[part],
        "rows": rows.row_R[crops.row_C[unit]].tolist(),
        "starts": crops.start_C[unit].tolist(),
        "lengths": length_U.tolist(),
    }


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, np.int64), *arrays]).astype(np.int64)
