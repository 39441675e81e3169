"""Random features of any streams, whose classes differ, held in memory; and a net for each kind.

Axes: N rows, T frames, F bins.
"""

import math

import pytest
import torch

from raysearch.features.extractor import StreamShape
from raysearch.features.ssl import SslConfig
from raysearch.models.model_table import model_config
from raysearch.training.data import Batch
from raysearch.training.learner import Learner
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

NUM_CLASSES = 4
# Nothing that is drawn on the device: CPU and GPU have generators of their own.
NOT_AUGMENTED = SpecAugmentConfig(freq_mask_count=0, time_mask_count=0, time_shift=0)
MEL = {"mel": StreamShape(32, 64)}
MFCC = {"mfcc": StreamShape(20, 64, kind="frames")}
FRAMES = {"ssl": StreamShape(24, 32, 50.0, "frames")}
STATISTICS = {"ssl": StreamShape(4 * 2 * 16, 1, 0.0, "vector", num_layers=4)}
SMALL = {
    "emohrnet": (
        {"width": 8, "branches": 3, "blocks": 1, "stem_width": 16, "stem_stride": 2},
        MEL,
    ),
    "resnet34": ({"pretrained": False}, MEL),
    "mfhca": (
        {"grf_width": 0.5, "lstm_hidden": 32, "fusion_width": 32, "dropout": 0.0},
        {**MEL, **FRAMES},
    ),
    "cnn": ({"width": 8, "blocks": 3, "dropout": 0.0}, MEL),
    "cnn1d_attention": ({"filters": 32, "dropout": 0.0}, MFCC),
    "lstm": ({"hidden": 32, "layers": 2, "conv_blocks": 1, "dropout": 0.0}, MEL),
    "encoder_probe": ({"pooling": "mean_std", "depth": "mixture", "dropout": 0.0}, STATISTICS),
}


class RandomStreams:
    """``TrialData`` of one rank.

    Args:
        shapes: of each stream.
        num_train, num_validation: rows.
        batch_size: of the global batch.
        rank, world_size: whose share.
        device: where the batches are.
    """

    def __init__(
        self,
        shapes,
        num_train=48,
        num_validation=24,
        batch_size=16,
        rank=0,
        world_size=1,
        device="cpu",
    ):
        self.num_train, self.num_validation, self.num_classes = num_train, num_validation, 4
        self.shapes, self.floors = dict(shapes), dict.fromkeys(shapes, 0.0)
        self.validation_ids = [f"utterance-{row}" for row in range(num_validation)]
        self._plan = batch_size, rank, world_size
        self._train = _rows(shapes, num_train, 1, device)
        self._validation = _rows(shapes, num_validation, 2, device)
        self.class_counts = torch.bincount(self._train[2].cpu(), minlength=NUM_CLASSES).tolist()
        self.class_shares = None
        self.rating_scale = None
        self.normalisation = {
            stream: (x_NTF.flatten(0, 1).mean(0).cpu(), x_NTF.flatten(0, 1).std(0).cpu())
            for stream, x_NTF in self._train[0].items()
        }

    def train_batches(self, epoch):
        batch_size, rank, world_size = self._plan
        order = torch.randperm(self.num_train, generator=torch.Generator().manual_seed(epoch))
        for rows in order.tensor_split(math.ceil(self.num_train / batch_size)):
            yield _batch(self._train, rows.tensor_split(world_size)[rank], len(rows))

    def validation_batches(self):
        _, rank, world_size = self._plan
        rows = torch.arange(self.num_validation).tensor_split(world_size)[rank]
        yield _batch(self._validation, rows, self.num_validation)


def _rows(shapes, num_rows, seed, device):
    generator = torch.Generator().manual_seed(seed)
    labels_N = torch.arange(num_rows) % NUM_CLASSES
    inputs, lengths = {}, {}
    for stream, shape in shapes.items():
        x_NTF = torch.randn(num_rows, shape.num_frames, shape.num_bins, generator=generator)
        for label in range(NUM_CLASSES):
            x_NTF[labels_N == label, :, label::NUM_CLASSES] += 1.0
        low = shape.num_frames if shape.kind == "vector" else shape.num_frames // 2
        lengths_N = torch.randint(low, shape.num_frames + 1, (num_rows,), generator=generator)
        padding_NT = torch.arange(shape.num_frames) >= lengths_N[:, None]
        inputs[stream] = x_NTF.masked_fill(padding_NT[:, :, None], 0.0).to(device)
        lengths[stream] = lengths_N.to(device)
    return inputs, lengths, labels_N.to(device)


def _batch(source, rows, num_global):
    inputs, lengths, labels_N = source
    mine = rows.to(labels_N.device)
    return Batch(
        {stream: x_NTF[mine] for stream, x_NTF in inputs.items()},
        {stream: lengths_N[mine] for stream, lengths_N in lengths.items()},
        labels_N[mine],
        num_global,
        mine,
    )


def config_of(name):
    """The small net's."""
    return model_config({"name": name, **SMALL[name][0]})


def learner_of(name, device, *, rank=0, world_size=1, data=None, **training):
    """The small net's trial; ``training`` over settings under which CPU and GPU do the same."""
    usual = {"epochs": 3, "batch_size": 16, "precision": "fp32", "learning_rate": 3e-5}
    data = data or RandomStreams(SMALL[name][1], rank=rank, world_size=world_size)
    return Learner(
        config_of(name),
        TrainingConfig(**{**usual, **training}),
        NOT_AUGMENTED,
        data,
        seed=3,
        rank=rank,
        world_size=world_size,
        device=device,
        features={"ssl": SslConfig()},  # frozen: of no weights
    )


def losses(trial, epochs=3):
    """Of training and validation, epoch by epoch."""
    found = []
    for _ in range(epochs):
        metrics = trial.run_epoch().metrics
        found += [metrics["train_loss"], metrics["val_loss"]]
    return found


def near(values, tolerance):
    """Equal to these but for ``tolerance``, which is relative above 1."""
    return pytest.approx(values, rel=tolerance, abs=tolerance)
