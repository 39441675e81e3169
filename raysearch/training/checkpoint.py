"""Tensors in and out of the files of a checkpoint.

Weights are safetensors, and what stands beside them JSON: nothing here is ever pickled. The folder
that they lie in is published whole or not at all (:mod:`raysearch.published_folder`).
"""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from raysearch.errors import DataError
from raysearch.models.base import Model

__all__ = ["cpu_copy", "load_tensors", "load_weights", "save_tensors"]


def cpu_copy(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU that later training steps leave alone."""
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write ``tensors`` as safetensors."""
    save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, path)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU.

    Raises:
        DataError: no such file, or no safetensors in it.
    """
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read as safetensors: {error}") from None
    return tensors


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Put ``tensors`` into ``model``; ``source`` names them in errors.

    Raises:
        DataError: a tensor is missing, unknown or of another shape.
    """
    if isinstance(model, Model):
        model.reshape_for(tensors)
    expected = model.state_dict()
    for name in sorted(expected.keys() ^ tensors.keys()):
        kind = "is missing" if name in expected else "belongs to no part of this model"
        raise DataError(f"{source}: tensor {name!r} {kind}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise DataError(
                f"{source}: tensor {name!r} has shape {tuple(tensor.shape)}, "
                f"but this model expects {tuple(expected[name].shape)}"
            )
    model.load_state_dict(dict(tensors))
