"""Batches for a GPU: cut while it computes, in memory that it copies from without waiting."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import torch

from raysearch.streaming.readers import WindowReader
from raysearch.streaming.windows import WindowBatch

__all__ = ["PrefetchReader"]

BATCHES_AHEAD = 2


class PrefetchReader:
    """Reads a few batches ahead of training, by one thread, into page-locked memory.

    Copies from such memory run beside a GPU's kernels
    (https://docs.pytorch.org/docs/stable/notes/cuda.html, "Use pinned memory buffers").

    Args:
        reader: gives CPU tensors; closed with this one.
        pin: from a tensor to its copy in page-locked memory, which takes a GPU.

    Attributes:
        stats: the reader's.
    """

    def __init__(
        self,
        reader: WindowReader,
        pin: Callable[[torch.Tensor], torch.Tensor] = torch.Tensor.pin_memory,
    ) -> None:
        self.stats = reader.stats
        self._reader, self._pin = reader, pin

    def read(self, batches: Sequence[WindowBatch]) -> Generator[dict[str, torch.Tensor]]:
        """As ``WindowReader.read``; leaving early ends the thread, and the reader's pass."""
        with closing(self._reader.read(batches)) as source:
            # One thread, so that what is asked for in order is read in order.
            executor = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
            try:
                asked = deque(executor.submit(self._next, source) for _ in range(BATCHES_AHEAD))
                while (inputs := asked.popleft().result()) is not None:
                    asked.append(executor.submit(self._next, source))
                    yield inputs
            finally:
                executor.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Close the reader."""
        self._reader.close()

    def _next(self, source: Generator[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor] | None:
        inputs = next(source, None)
        return inputs and {stream: self._pin(x_BTF) for stream, x_BTF in inputs.items()}
