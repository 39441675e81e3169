"""The ``model.bin`` of a CTranslate2 model (github.com/OpenNMT/CTranslate2, model_spec.py).

Little-endian: the binary version, the specification's name and revision, then the variables,
each with name, shape, type and bytes, then aliases. A string is its length, as two bytes, and
ends with a zero byte. Nothing in the file can run, and no more is read than the file holds.
"""

import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from raysearch.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["is_ctranslate2", "read_ctranslate2"]

# The version since CTranslate2 2.0; Whisper came with 3.0.
VERSION = 6
MAX_NAME, MAX_VARIABLES, MAX_RANK = 1024, 100_000, 8
# In the order of the format's type numbers.
DTYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")
SCALE = "_scale"


def is_ctranslate2(path: Path) -> bool:
    """Whether the file can be read and begins as a CTranslate2 model does."""
    try:
        with path.open("rb") as file:
            start = file.read(6 + MAX_NAME)
    except OSError:
        return False
    if len(start) < 8:
        return False
    version, length = struct.unpack_from("<IH", start)
    name = start[6 : 6 + length]
    return 1 <= version <= 99 and name.endswith(b"Spec\0") and name[:-1].isalnum()


def read_ctranslate2(path: Path, spec: str, prefix: str) -> "dict[str, Tensor]":
    """The variables whose names begin with ``prefix``; quantised ones as float32.

    Args:
        path: a ``model.bin``.
        spec: the specification that is expected: ``WhisperSpec``.
        prefix: ``encoder/``; others are skipped.

    Raises:
        DataError: another specification or version, damaged, or of an unknown type.
    """
    try:
        with path.open("rb") as file:
            reader = _Reader(file, path.stat().st_size)
            return _dequantised(reader.variables(spec, prefix))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise DataError(f"{path}: not a CTranslate2 model that can be read: {error}") from None


class _Reader:
    """Raises ValueError where the file is not what the format says."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size

    def variables(self, spec: str, prefix: str) -> "dict[str, Tensor]":
        self._header(spec)
        found: dict[str, Tensor] = {}
        for _ in range(self._count(MAX_VARIABLES, "variables")):
            name, value = self._variable(prefix)
            if value is not None:
                found[name] = value
        for _ in range(self._count(MAX_VARIABLES, "aliases")):
            alias, name = self._string(), self._string()
            if alias.startswith(prefix) and name in found:
                found[alias] = found[name]
        return found

    def _header(self, spec: str) -> None:
        if (version := self._integer("I")) != VERSION:
            raise ValueError(
                f"its binary version is {version}, expected {VERSION}: convert it anew"
            )
        if (name := self._string()) != spec:
            raise ValueError(f"it is a {name}, expected a {spec}")
        self._integer("I")  # the revision: tells what decoders hold

    def _variable(self, prefix: str) -> "tuple[str, Tensor | None]":
        name, rank = self._string(), self._integer("B")
        if rank > MAX_RANK:
            raise ValueError(f"{name!r} has {rank} dimensions")
        shape = [self._integer("I") for _ in range(rank)]
        kind, num_bytes = self._integer("B"), self._integer("I")
        if not name.startswith(prefix):
            self._skip(num_bytes)
            return name, None
        if kind >= len(DTYPES):
            raise ValueError(f"{name!r} is of type {kind}, which is unknown")
        return name, self._tensor(name, shape, DTYPES[kind], num_bytes)

    def _tensor(self, name: str, shape: list[int], kind: str, num_bytes: int) -> "Tensor":
        # Here, not above: settings are read in processes that must start without torch.
        import torch

        dtype: torch.dtype = getattr(torch, kind)
        if math.prod(shape) * dtype.itemsize != num_bytes or not num_bytes:
            raise ValueError(f"{name!r} has shape {tuple(shape)} of {kind} in {num_bytes} bytes")
        return torch.frombuffer(bytearray(self._bytes(num_bytes)), dtype=dtype).reshape(shape)

    def _count(self, most: int, what: str) -> int:
        if (count := self._integer("I")) > most:
            raise ValueError(f"it announces {count} {what}")
        return count

    def _string(self) -> str:
        length = self._integer("H")
        if not 1 <= length <= MAX_NAME:
            raise ValueError(f"a name of {length} bytes")
        return self._bytes(length)[:-1].decode("utf-8")

    def _integer(self, kind: str) -> int:
        value: int = struct.unpack(f"<{kind}", self._bytes(struct.calcsize(f"<{kind}")))[0]
        return value

    def _bytes(self, count: int) -> bytes:
        self._expect(count)
        return self.file.read(count)

    def _skip(self, count: int) -> None:
        self._expect(count)
        self.file.seek(count, 1)

    def _expect(self, count: int) -> None:
        if self.file.tell() + count > self.size:
            raise ValueError("it is cut off")


def _dequantised(tensors: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Weights divided by their scales: one a row for 8 bits, one in all for 16."""
    whole = {}
    for name, tensor in tensors.items():
        if name.endswith(SCALE):
            continue
        if (scale := tensors.get(name + SCALE)) is not None:
            if tensor.is_floating_point() or scale.numel() not in (1, len(tensor)):
                raise ValueError(f"{name!r} does not fit its scale")
            columns = [-1] + [1] * (tensor.dim() - 1)
            tensor = tensor.float() / scale.float().reshape(columns)
        whole[name] = tensor
    return whole
