"""What must be known of a net's inputs to use it elsewhere: their statistics and their shapes."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from raysearch.errors import DataError
from raysearch.features.extractor import StreamShape

__all__ = ["INPUTS", "load_inputs", "save_inputs"]

INPUTS = "inputs.safetensors"

Statistics = Mapping[str, tuple[Tensor, Tensor]]


def save_inputs(path: Path, shapes: Mapping[str, StreamShape], statistics: Statistics) -> None:
    """Write each stream's shape, and the mean and deviation of its bins over training rows."""
    tensors = {
        f"{stream}.{name}": tensor.detach().cpu().contiguous()
        for stream, pair in statistics.items()
        for name, tensor in zip(("mean", "std"), pair, strict=True)
    }
    described = {stream: json.dumps(asdict(shape)) for stream, shape in shapes.items()}
    save_file(tensors, path, metadata=described)


def load_inputs(path: Path) -> tuple[dict[str, StreamShape], dict[str, tuple[Tensor, Tensor]]]:
    """The shapes and the statistics that ``save_inputs`` wrote.

    Raises:
        DataError: no such file, or not one of these.
    """
    try:
        with safe_open(path, framework="pt") as file:
            described = file.metadata() or {}
            shapes = {stream: StreamShape(**json.loads(text)) for stream, text in described.items()}
            statistics = {
                stream: (file.get_tensor(f"{stream}.mean"), file.get_tensor(f"{stream}.std"))
                for stream in shapes
            }
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as a net's inputs: {error}") from None
    return shapes, statistics
