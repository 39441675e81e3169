"""Starting a trial from weights that an earlier training left, in a run's ``pretrained/`` folder.

All tensors whose names and shapes match are taken, but for those that depend on the classes where
the classes differ: what tells one corpus' emotions apart is not what tells another's.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from raysearch.errors import DataError
from raysearch.models.base import Model
from raysearch.training.checkpoint import load_tensors
from raysearch.weights_file import file_digest

__all__ = ["PRETRAINED", "WEIGHTS", "Start", "Taken", "read_start", "save_start", "take_over"]

PRETRAINED = "pretrained"
"""The folder of a run that holds what its trials start from."""
WEIGHTS = "weights.safetensors"
_LABELS = "labels"
NUM_DIGITS = 16


@dataclass(frozen=True)
class Start:
    """Weights that a trial starts from.

    Attributes:
        tensors: on the CPU.
        labels: the classes that they tell apart, in the order of their logits.
        digest: of their content and classes; it stands for them in a trial's identity.
    """

    tensors: Mapping[str, Tensor]
    labels: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Taken:
    """How much of a network its start gave: tensors and their values, of how many."""

    tensors: int
    of_tensors: int
    values: int
    of_values: int

    def describe(self) -> str:
        """Describe in a few words how much was taken over."""
        share = 100 * self.values / self.of_values
        return f"{self.tensors} of {self.of_tensors} tensors ({share:.1f}% of the values)"


def save_start(path: Path, tensors: Mapping[str, Tensor], labels: Sequence[str]) -> None:
    """Write weights and their classes as one file."""
    contents = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(contents, path, metadata={_LABELS: json.dumps(list(labels))})


def read_start(path: Path) -> Start:
    """Read the file that ``save_start`` wrote.

    Raises:
        DataError: no such file, or not one of these.
    """
    tensors = load_tensors(path)
    try:
        with safe_open(path, framework="pt") as file:
            labels = tuple(json.loads((file.metadata() or {})[_LABELS]))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError(f"{path}: not weights to start from ({error!r})") from None
    return Start(tensors, labels, file_digest(path)[:NUM_DIGITS])


def take_over(
    model: Model, start: Start, labels: Sequence[str], build: Callable[[int], Model]
) -> Taken:
    """Copy those weights of ``start`` into ``model`` that fit.

    Args:
        model: as built.
        start: the weights.
        labels: the classes that ``model`` tells apart, in order.
        build: the same architecture for a number of classes.

    Raises:
        DataError: nothing fits but single values and vectors.
    """
    own = model.state_dict()
    fitting = {
        name: tensor
        for name, tensor in start.tensors.items()
        if name in own and own[name].shape == tensor.shape
    }
    if tuple(labels) != start.labels:
        # What changes its shape with the number of classes is the classifier's, in any network.
        with torch.random.fork_rng(devices=[]):
            other = build(len(labels) + 1).state_dict()
        fitting = {
            name: tensor
            for name, tensor in fitting.items()
            if name in other and other[name].shape == tensor.shape
        }
    if not any(tensor.ndim > 1 for tensor in fitting.values()):
        raise DataError(
            f"no layer of the weights to start from fits this {model.config.name}: of "
            f"{len(start.tensors)} tensors {len(fitting)} have its names and shapes"
        )
    model.load_state_dict(fitting, strict=False)
    return Taken(
        tensors=len(fitting),
        of_tensors=len(own),
        values=sum(tensor.numel() for tensor in fitting.values()),
        of_values=sum(tensor.numel() for tensor in own.values()),
    )
