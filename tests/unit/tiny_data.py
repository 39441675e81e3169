"""A small in-memory corpus whose classes are separable, and a model without batch norm."""

# Axis letters name tensor shapes.

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from raysearch.features.extractor import StreamShape
from raysearch.models.base import Model, ModelConfig
from raysearch.models.model_table import model_config
from raysearch.training.data import Batch

NUM_CLASSES = 3
NUM_BINS = 16
FLOOR = -11.5

SMALL_EMOHRNET = model_config(
    {"name": "emohrnet", "width": 4, "branches": 2, "blocks": 1, "stem_width": 8, "stem_stride": 2}
)
POOLED_LINEAR = ModelConfig(name="tiny_data:PooledLinear")


class PooledLinear(Model):
    """The first frame and the mean of eight, linearly: no statistics over the batch."""

    streams: ClassVar[tuple[str, ...]] = ("mel",)

    def __init__(
        self, config: ModelConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        self.linear = nn.Linear(2 * shapes["mel"].num_bins, num_classes)

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        x_BTF = inputs["mel"]
        logits_BK: Tensor = self.linear(torch.cat([x_BTF[:, 0], x_BTF[:, :8].mean(1)], dim=1))
        return logits_BK


class TinyData:
    """Near-equal global batches, each split into near-equal shares of the ranks."""

    def __init__(
        self,
        num_train: int = 24,
        num_validation: int = 9,
        batch_size: int = 8,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.num_train, self.num_validation = num_train, num_validation
        self.validation_ids = [f"utterance-{row}" for row in range(num_validation)]
        self.batch_size, self.rank, self.world_size = batch_size, rank, world_size
        self.num_classes = NUM_CLASSES
        self.shapes = {"mel": StreamShape(NUM_BINS, num_frames=40)}
        self.floors = {"mel": FLOOR}
        self.train = make_rows(num_train, seed=1)
        self.validation = make_rows(num_validation, seed=2)
        self.class_counts = torch.bincount(self.train[2], minlength=NUM_CLASSES).tolist()
        self.class_shares = None
        self.rating_scale: tuple[Tensor, Tensor] | None = None
        frames = self.train[0].flatten(0, 1)
        self.normalisation = {"mel": (frames.mean(0), frames.std(0))}

    def train_batches(self, epoch: int) -> Iterator[Batch]:
        order = torch.randperm(self.num_train, generator=torch.Generator().manual_seed(epoch))
        for rows in order.tensor_split(math.ceil(self.num_train / self.batch_size)):
            yield self._batch(self.train, rows.tensor_split(self.world_size)[self.rank], len(rows))

    def validation_batches(self) -> Iterator[Batch]:
        mine = torch.arange(self.num_validation).tensor_split(self.world_size)[self.rank]
        # Two windows an utterance, in two batches.
        for _ in range(2):
            yield self._batch(self.validation, mine, self.num_validation)

    def _batch(self, source: tuple[Tensor, Tensor, Tensor], rows: Tensor, num_global: int) -> Batch:
        x_NTF, lengths_N, labels_N = source
        return Batch(
            {"mel": x_NTF[rows]}, {"mel": lengths_N[rows]}, labels_N[rows], num_global, rows
        )


class RatedData(TinyData):
    """``TinyData`` whose rows are rated on two scales, which their class tells but for noise."""

    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.num_classes = 2
        middle_KD = torch.tensor([[4.5, 1.0], [3.0, 3.5], [1.5, 2.0]])
        self._ratings = {
            id(side[2]): middle_KD[side[2]] + 0.1 * torch.sin(torch.arange(len(side[2])))[:, None]
            for side in (self.train, self.validation)
        }
        own_RD = self._ratings[id(self.train[2])]
        self.rating_scale = (own_RD.mean(0), own_RD.std(0))

    def _batch(self, source: tuple[Tensor, Tensor, Tensor], rows: Tensor, num_global: int) -> Batch:
        batch = super()._batch(source, rows, num_global)
        batch.ratings = self._ratings[id(source[2])][rows]
        return batch


def make_rows(num_rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features with one loud band a class and its own rhythm, lengths, labels."""
    generator = torch.Generator().manual_seed(seed)
    labels_N = torch.arange(num_rows) % NUM_CLASSES
    x_NTF = torch.randn(num_rows, 40, NUM_BINS, generator=generator)
    for row, label in enumerate(labels_N.tolist()):
        x_NTF[row, :: label + 2, label * 5 : label * 5 + 5] += 3.0
    lengths_N = torch.randint(24, 41, (num_rows,), generator=generator)
    padding = torch.arange(40) >= lengths_N[:, None]
    return x_NTF.masked_fill(padding[:, :, None], FLOOR), lengths_N, labels_N
