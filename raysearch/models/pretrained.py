"""Weights that were learned elsewhere: finding the file, and reading it without running it."""

import hashlib
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from raysearch.errors import DataError, MissingPathError

__all__ = [
    "check_weights",
    "copy_weights",
    "download_to_hub",
    "file_digest",
    "find_in_hub",
    "hub_folder",
    "read_weights",
]

MAX_BYTES = 8 << 30


def find_in_hub(names: Sequence[str]) -> Path | None:
    """The first of ``names`` among torch hub's checkpoints (``$TORCH_HOME`` counts), if any."""
    folder = hub_folder()
    return next((folder / name for name in names if (folder / name).is_file()), None)


def hub_folder() -> Path:
    """Where torch hub keeps checkpoints."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"


def download_to_hub(url: str) -> Path:
    """Fetch ``url`` into torch hub's checkpoints, whole or not at all.

    The first hex digits of its SHA-256 that the name ends with, as torch's do, are checked.

    Raises:
        MissingPathError: no connection, no such file, or another content.
    """
    path = hub_folder() / url.rpartition("/")[2]
    digits = re.search(r"-([0-9a-f]{8,})\.", path.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), digits and digits[1], progress=False)
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingPathError(f"{url} could not be downloaded to {path} ({reason})") from None
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file or of a state dict that torch saved.

    A state dict is read with ``weights_only``, which runs no code from the file.

    Raises:
        DataError: unreadable, too large, or something else than named tensors.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: larger than {MAX_BYTES >> 30} GiB")
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about pickles of a kind that it then refuses
            data = torch.load(path, map_location="cpu", weights_only=True)
    except DataError:
        raise
    except Exception as error:  # a damaged file can make the readers raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: not weights that can be read safely ({reason})") from None
    if isinstance(data, Mapping) and isinstance(data.get("state_dict"), Mapping):
        data = data["state_dict"]
    if not isinstance(data, Mapping) or not all(isinstance(v, Tensor) for v in data.values()):
        raise DataError(f"{path}: not a state dict: named tensors are expected")
    return {str(name): tensor for name, tensor in data.items()}


def check_weights(
    expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor], source: Path
) -> None:
    """Compare names and shapes; ``expected`` may be on the ``meta`` device.

    Raises:
        DataError: a tensor is missing, unknown or of another shape; the first one is named.
    """
    # Older files lack batch norm's step counts.
    lacking = sorted(n for n in expected if n not in tensors and "num_batches_tracked" not in n)
    unknown = sorted(name for name in tensors if name not in expected)
    if lacking or unknown:
        wrong = f"lacks {lacking[0]!r}" if lacking else f"holds {unknown[0]!r}, which is unknown"
        raise DataError(f"{source}: weights of another network: it {wrong}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise DataError(
                f"{source}: tensor {name!r} has shape {tuple(tensor.shape)}, "
                f"expected {tuple(expected[name].shape)}"
            )


def copy_weights(model: nn.Module, tensors: Mapping[str, Tensor], source: Path) -> None:
    """Copy ``tensors`` into ``model``, which must have exactly these.

    Raises:
        DataError: as ``check_weights``.
    """
    check_weights(model.state_dict(), tensors, source)
    model.load_state_dict(dict(tensors), strict=False)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content: two paths of one file are the same weights."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest(path: Path, num_bytes: int, changed: int) -> str:
    del num_bytes, changed  # they make a changed file another key
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
