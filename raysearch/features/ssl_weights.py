"""Files of pretrained speech encoders: finding, measuring and reading them, never running them.

Read are a state dict that torch saved (as torchaudio's bundles and OpenAI's Whisper are), a
safetensors file, a folder as Hugging Face publishes them, and Whisper in CTranslate2's format.
Which it is, and which network it is of, is told by content.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from raysearch.errors import DataError, MissingPathError, first_line
from raysearch.features.ctranslate2_file import is_ctranslate2, read_ctranslate2
from raysearch.features.ssl_formats import (
    LackingConfigError,
    canonical,
    is_hugging_face,
    size_fields,
)
from raysearch.features.ssl_sizes import EncoderSizes
from raysearch.features.whisper_formats import is_whisper, whisper_fields, whisper_tensors
from raysearch.features.whisper_sizes import WhisperSizes
from raysearch.weights_file import file_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = [
    "HOW_TO_GET",
    "check_weights",
    "copy_of_weights",
    "inspect_weights",
    "load_weights",
    "weights_digest",
]

Sizes = EncoderSizes | WhisperSizes

HOW_TO_GET = (
    "download https://download.pytorch.org/torchaudio/models/hubert_fairseq_base_ls960.pth, or a"
    " Hugging Face folder such as facebook/hubert-base-ls960 or openai/whisper-tiny (config.json"
    " and model.safetensors or pytorch_model.bin), or Whisper as OpenAI's .pt or a CTranslate2"
    " folder (model.bin) such as Systran/faster-whisper-tiny, and give"
    " --set features.ssl.weights=PATH"
)
IN_A_FOLDER = ("model.safetensors", "pytorch_model.bin", "model.bin")
SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
MAX_CONFIG_BYTES = 1 << 20


def inspect_weights(path: Path) -> Sizes:
    """The sizes of the encoder whose weights are at ``path``, a file or a folder.

    Raises:
        MissingPathError: no weights there, or a config that they need is not beside them.
        DataError: unreadable, or not those of a HuBERT, wav2vec2, WavLM or Whisper encoder.
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
    """The whole encoder's tensors under the names of ``SslEncoder``'s network, float32, on the CPU.

    Raises:
        MissingPathError: as ``inspect_weights``.
        DataError: as ``check_weights``.
    """
    check_weights(path)
    tensors, _ = _read(_file(path))
    return {name: tensor.float() for name, tensor in _renamed(tensors).items()}


def weights_digest(path: Path) -> str:
    """SHA-256 of the weights' content: two paths of one file are the same encoder.

    Raises:
        MissingPathError: no weights there.
    """
    return file_digest(_file(path))


def copy_of_weights(path: Path) -> list[tuple[Path, str]]:
    """The files that a copy needs, tensors first, each with the suffix that its copy must have.

    The copies stand in one folder under one name: ``encoder-1.bin`` and ``encoder-1.json``.

    Raises:
        MissingPathError: no weights there.
    """
    file = _file(path)
    config = _config_beside(file)
    return [(file, file.suffix), *([(config, ".json")] if config else [])]


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
def _inspect(file: Path, num_bytes: int, changed: int, config_changed: int) -> Sizes:
    del num_bytes, changed, config_changed
    tensors, told = _read(file)
    config = _read_config(_config_beside(file))
    try:
        if is_whisper(tensors):
            shapes = _shapes(whisper_tensors(tensors))
            return WhisperSizes(**whisper_fields(tensors, shapes, {**(config or {}), **told}))
        if config is None and is_hugging_face(tensors):
            raise LackingConfigError("its heads and strides")
        return EncoderSizes(**size_fields(_shapes(canonical(_meta(tensors))), config))
    except KeyError as error:
        raise DataError(
            f"{file}: no HuBERT, wav2vec2, WavLM or Whisper encoder: it lacks {error.args[0]!r}"
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
    # Here, not above, as in ``_read``.
    from raysearch.features.ssl_encoder import expected_shapes

    expected = expected_shapes(_inspect(file, num_bytes, changed, config_changed))
    tensors = _renamed(_read(file)[0])
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


def _read(file: Path) -> "tuple[dict[str, Tensor], dict[str, object]]":
    """The tensors as the file names them, and the sizes that OpenAI's files tell beside them."""
    if is_ctranslate2(file):
        return read_ctranslate2(file, "WhisperSpec", "encoder/"), {}
    # Here, not above: settings are read in processes that must start without torch.
    from raysearch.saved_tensors import read_saved

    tensors, beside = read_saved(file)
    told = beside.get("dims")
    return tensors, told if isinstance(told, dict) else {}


def _renamed(tensors: "dict[str, Tensor]") -> "dict[str, Tensor]":
    return whisper_tensors(tensors) if is_whisper(tensors) else canonical(tensors)


def _shapes(tensors: "Mapping[str, Tensor]") -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _meta(tensors: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    return {name: tensor.to("meta") for name, tensor in tensors.items()}


def _read_config(path: Path | None) -> dict[str, object] | None:
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
