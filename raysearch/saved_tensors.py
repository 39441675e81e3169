"""Weights that were learned elsewhere: read without running the file."""

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from raysearch.errors import DataError, first_line

__all__ = ["read_saved", "read_weights"]

MAX_BYTES = 16 << 30
# Under which a state dict lies in a larger file: Lightning's word, and OpenAI's.
NESTED = ("state_dict", "model_state_dict")


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file or of a state dict that torch saved, on the CPU.

    They are mapped into memory where the format allows it. A state dict is read with
    ``weights_only``, which runs no code from the file.

    Raises:
        DataError: unreadable, too large, or something else than named tensors.
    """
    return read_saved(path)[0]


def read_saved(path: Path) -> tuple[dict[str, Tensor], dict[str, object]]:
    """As ``read_weights``, and what lies beside the state dict in the same file.

    Raises:
        DataError: as ``read_weights``.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: larger than {MAX_BYTES >> 30} GiB")
        data = _open(path)
    except DataError:
        raise
    except Exception as error:  # a damaged file can make the readers raise anything
        reason = first_line(error)
        raise DataError(f"{path}: not weights that can be read safely ({reason})") from None
    beside: dict[str, object] = {}
    for key in NESTED:
        if isinstance(data, Mapping) and isinstance(data.get(key), Mapping):
            beside = {str(name): value for name, value in data.items() if name != key}
            data = data[key]
    if not isinstance(data, Mapping) or not all(isinstance(v, Tensor) for v in data.values()):
        raise DataError(f"{path}: not a state dict: named tensors are expected")
    return {str(name): tensor for name, tensor in data.items()}, beside


def _open(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about pickles of a kind that it then refuses
        mapped = zipfile.is_zipfile(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
