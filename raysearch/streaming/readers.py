"""The three tiers' ways from planned windows to tensors; all give the same values."""

from collections.abc import Generator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch

from raysearch.streaming.arrays import FeatureArrays, RowStats, cut, window_index
from raysearch.streaming.windows import WindowBatch

__all__ = ["DeviceReader", "HostReader", "WindowReader"]

FRAMES_A_COPY = 1 << 16


class WindowReader(Protocol):
    """Reads the values of planned windows.

    Attributes:
        stats: a stream's row statistics, in the order of the rows it was opened with.
    """

    stats: dict[str, RowStats]

    def read(self, batches: Sequence[WindowBatch]) -> Generator[dict[str, torch.Tensor]]:
        """One mapping of streams to x_BTF a batch, in the order of ``batches``."""
        ...

    def close(self) -> None:
        """Lets go of everything it holds."""
        ...


class HostReader:
    """Cuts windows out of arrays in the node's shared memory."""

    def __init__(self, arrays: Mapping[str, FeatureArrays], floors: Mapping[str, float]) -> None:
        self.stats = {stream: item.stats for stream, item in arrays.items()}
        self._values = {stream: item.values for stream, item in arrays.items()}
        self._offsets = {stream: item.offsets for stream, item in arrays.items()}
        self._floors = dict(floors)

    def read(self, batches: Sequence[WindowBatch]) -> Generator[dict[str, torch.Tensor]]:
        """As ``WindowReader.read``, on the CPU."""
        for batch in batches:
            yield {stream: self._cut(stream, batch) for stream in self._values}

    def close(self) -> None:
        """Drops the views, so that the object store may free what the cache has evicted."""
        self._values.clear()

    def _cut(self, stream: str, batch: WindowBatch) -> torch.Tensor:
        first_B = self._offsets[stream][batch.rows] + batch.starts[stream]
        index_BT, padding_BT = window_index(
            first_B, batch.lengths[stream], batch.num_frames[stream]
        )
        values_SF, floor = self._values[stream], self._floors[stream]
        return torch.from_numpy(cut(values_SF, index_BT, padding_BT, floor))


class DeviceReader:
    """Holds all rows on one torch device and cuts windows there."""

    def __init__(
        self,
        arrays: Mapping[str, FeatureArrays],
        floors: Mapping[str, float],
        device: torch.device,
    ) -> None:
        self.stats = {stream: item.stats for stream, item in arrays.items()}
        self._offsets = {stream: item.offsets for stream, item in arrays.items()}
        self._values = {s: _to_device(item.values, device) for s, item in arrays.items()}
        self._floors = dict(floors)
        self._device = device

    def read(self, batches: Sequence[WindowBatch]) -> Generator[dict[str, torch.Tensor]]:
        """As ``WindowReader.read``, on the device."""
        for batch in batches:
            yield {stream: self._cut(stream, batch) for stream in self._values}

    def close(self) -> None:
        """Frees the device's memory."""
        self._values.clear()

    def _cut(self, stream: str, batch: WindowBatch) -> torch.Tensor:
        first = self._offsets[stream][batch.rows] + batch.starts[stream]
        first_B = torch.from_numpy(first).to(self._device, non_blocking=True)
        lengths_B = torch.from_numpy(batch.lengths[stream]).to(self._device, non_blocking=True)
        step_T = torch.arange(batch.num_frames[stream], device=self._device)
        padding_BT = step_T[None, :] >= lengths_B[:, None]
        index_BT = first_B[:, None] + torch.minimum(step_T[None, :], lengths_B[:, None] - 1)
        x_BTF = self._values[stream][index_BT]
        return x_BTF.masked_fill_(padding_BT[:, :, None], self._floors[stream])


def _to_device(values_SF: np.ndarray, device: torch.device) -> torch.Tensor:
    """A copy on ``device``, made in pieces: shared memory is read-only, torch wants to write."""
    target_SF = torch.empty(values_SF.shape, dtype=torch.float32, device=device)
    for low in range(0, len(values_SF), FRAMES_A_COPY):
        piece = np.array(values_SF[low : low + FRAMES_A_COPY])
        target_SF[low : low + FRAMES_A_COPY] = torch.from_numpy(piece)
    return target_SF
