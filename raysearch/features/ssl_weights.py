"""Files of pretrained SSL encoders: finding, measuring and reading them, never running them.

Read are a state dict that torch saved (as torchaudio's bundles are), a safetensors file, or a
folder as Hugging Face publishes them, each with torchaudio's names or Hugging Face's.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from raysearch.errors import DataError, MissingPathError
from raysearch.features.ssl_formats import (
    LackingConfigError,
    canonical,
    is_hugging_face,
    size_fields,
)
from raysearch.features.ssl_sizes import EncoderSizes
from raysearch.weights_file import file_digest, first_line, read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["HOW_TO_GET", "check_weights", "inspect_weights", "load_weights", "weights_digest"]

HOW_TO_GET = (
    "download https://download.pytorch.org/torchaudio/models/hubert_fairseq_base_ls960.pth, or a"
    " Hugging Face folder such as facebook/hubert-base-ls960 (config.json and model.safetensors"
    " or pytorch_model.bin), and give --set features.ssl.weights=PATH"
)
IN_A_FOLDER = ("model.safetensors", "pytorch_model.bin")
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
MAX_CONFIG_BYTES = 1 << 20


def inspect_weights(path: Path) -> EncoderSizes:
    """The sizes of the encoder whose weights are at ``path``, a file or a folder.

    Raises:
        MissingPathError: no weights there, or a config that they need is not beside them.
        DataError: unreadable, or not those of a HuBERT, wav2vec2 or WavLM encoder.
    """
    return _inspect(*_key(path))


def check_weights(path: Path) -> None:
    """Compare every tensor's name, shape and values with what its encoder must have.

    Raises:
        MissingPathError: as ``inspect_weights``.
        DataError: as ``inspect_weights``, or the first tensor that does not fit is named.
    """
    _check(*_key(path))


def load_weights(path: Path) -> "dict[str, Tensor]":
    """The whole encoder's tensors under torchaudio's names, float32, on the CPU.

    Raises:
        MissingPathError: as ``inspect_weights``.
        DataError: as ``check_weights``.
    """
    check_weights(path)
    return {name: tensor.float() for name, tensor in canonical(read_weights(_file(path))).items()}


def weights_digest(path: Path) -> str:
    """SHA-256 of the weights' content: two paths of one file are the same encoder.

    Raises:
        MissingPathError: no weights there.
    """
    return file_digest(_file(path))


def _file(path: Path) -> Path:
    """The file that holds the tensors."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise MissingPathError(f"features.ssl.weights: {path} is not there: {HOW_TO_GET}")
    found = [path / name for name in IN_A_FOLDER if (path / name).is_file()]
    found += sorted(item for item in path.iterdir() if item.suffix in SUFFIXES)
    if not found:
        raise MissingPathError(
            f"features.ssl.weights: {path} holds no {', '.join(SUFFIXES)} file: {HOW_TO_GET}"
        )
    return found[0]


def _config_beside(file: Path) -> Path | None:
    beside = (file.with_suffix(".json"), file.with_name("config.json"))
    return next((path for path in beside if path.is_file()), None)


def _key(path: Path) -> tuple[Path, int, int, int]:
    """The file, and what makes a changed one another cache key."""
    file = _file(path)
    stat, config = file.stat(), _config_beside(file)
    return file, stat.st_size, stat.st_mtime_ns, config.stat().st_mtime_ns if config else 0


# A search asks for every combination of its features.
@lru_cache(maxsize=8)
def _inspect(file: Path, num_bytes: int, changed: int, config_changed: int) -> EncoderSizes:
    del num_bytes, changed, config_changed
    tensors = read_weights(file)
    config = _read_config(_config_beside(file))
    if config is None and is_hugging_face(tensors):
        raise MissingPathError(
            f"{file}: an encoder in Hugging Face's format without its config: "
            "put its config.json beside it"
        )
    try:
        shapes = {name: tuple(tensor.shape) for name, tensor in canonical(_meta(tensors)).items()}
        return EncoderSizes(**size_fields(shapes, config))
    except KeyError as error:
        raise DataError(
            f"{file}: no HuBERT, wav2vec2 or WavLM encoder: it lacks {error.args[0]!r}"
        ) from None
    except LackingConfigError as error:
        raise MissingPathError(
            f"{file}: an encoder without its config: {error} cannot be read from tensors; "
            "put the config.json that came with it beside it"
        ) from None
    except ValidationError as error:
        item = error.errors()[0]
        where = ".".join(str(part) for part in item["loc"]) or "sizes"
        raise DataError(f"{file}: {where} is {item['input']!r}: {item['msg']}") from None
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(f"{file}: {first_line(error)}") from None


@lru_cache(maxsize=8)
def _check(file: Path, num_bytes: int, changed: int, config_changed: int) -> None:
    from raysearch.features.ssl_encoder import expected_shapes

    expected = expected_shapes(_inspect(file, num_bytes, changed, config_changed))
    tensors = canonical(read_weights(file))
    lacking = sorted(expected.keys() - tensors.keys())
    unknown = sorted(tensors.keys() - expected.keys())
    if lacking or unknown:
        wrong = f"lacks {lacking[0]!r}" if lacking else f"holds {unknown[0]!r}, which is unknown"
        raise DataError(f"{file}: weights of another network: it {wrong}")
    for name, tensor in tensors.items():
        if tuple(tensor.shape) != expected[name]:
            shape = tuple(tensor.shape)
            raise DataError(f"{file}: {name!r} has shape {shape}, expected {expected[name]}")
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            raise DataError(f"{file}: {name!r} holds NaN, infinite or whole numbers")


def _meta(tensors: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    return {name: tensor.to("meta") for name, tensor in tensors.items()}


def _read_config(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ValueError("too large")
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as an encoder's config: {error}") from None
    if not isinstance(data, dict):
        raise DataError(f"{path}: a JSON object is expected")
    return data
