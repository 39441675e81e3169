"""Weights that were learned elsewhere: finding the file, and fitting it to a network."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from raysearch.errors import DataError, MissingPathError, first_line
from raysearch.models.torch_hub import hub_folder

__all__ = [
    "check_weights",
    "copy_weights",
    "download_to_hub",
]


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
        reason = first_line(error)
        raise MissingPathError(f"{url} could not be downloaded to {path} ({reason})") from None
    return path


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
