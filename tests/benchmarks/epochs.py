"""Epochs of the host tier beside a loop by hand: samples a second, validation included.

The loop is that of PyTorch's tutorials: a ``TensorDataset`` in memory, normalised beforehand, a
``DataLoader`` that shuffles it, AdamW, and an evaluation of the validation rows. Both train the
same network from the same weights on clips of 2 s, in float32 on one thread, without augmentation.
On a part of the rows, which is not timed, the loop is given the search's order, and both must have
the same losses. That part is four batches: rounding grows with every step, and after the 40 of the
timed epoch inputs that differ by 1e-7 move EmoHRNet's loss by more than 0.01.

    python tests/benchmarks/epochs.py [--pairs 3] [--json FILE]
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from bench_frame import Figure, Options, alternate, at_least, equal, figure, ratio, timed
from bench_script import run_script
from noise_rows import noise_arrays, noise_rows
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from raysearch.config.identity import seed_from
from raysearch.features.extractor import StreamShape
from raysearch.features.log_mel import LogMelConfig
from raysearch.models.base import Model, ModelConfig
from raysearch.models.model_table import build_model, model_config
from raysearch.streaming.batches import SplitData
from raysearch.streaming.epoch_plan import global_batches
from raysearch.streaming.readers import HostReader
from raysearch.streaming.store import feature_source
from raysearch.training.learner import Learner
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

NETS = {
    "a tiny cnn": {"name": "cnn", "width": 4, "blocks": 2, "dropout": 0.0},
    "cnn": {"name": "cnn", "width": 16, "blocks": 4, "dropout": 0.0},
    "emohrnet": {"name": "emohrnet", "width": 8, "branches": 3, "blocks": 1, "dropout": 0.0},
}
CLASSES, FRAMES, BINS, SEED = 7, 100, 40, 1
FEW, MANY = (64, 32), (640, 160)  # rows of training and validation: compared, and timed
TRAINING = TrainingConfig(
    epochs=10_000, batch_size=16, clip_s=2.0, optimizer="adamw", learning_rate=1e-3,
    weight_decay=0.01, normalise="train_bin", precision="fp32",
)  # fmt: skip
NOT_AUGMENTED = SpecAugmentConfig(freq_mask_count=0, time_mask_count=0, time_shift=0)


@dataclass
class Plain:
    """The loop by hand.

    Attributes:
        train, validation: in memory, normalised.
        net: with the weights that a trial begins with.
    """

    train: TensorDataset
    validation: TensorDataset
    net: Model
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        rates = {"lr": TRAINING.learning_rate, "weight_decay": TRAINING.weight_decay}
        self.optimizer = torch.optim.AdamW(self.net.parameters(), **rates)

    def epoch(self, order: Sequence[Sequence[int]] | None = None) -> tuple[float, float]:
        """Train and evaluate; the two losses. ``order`` is that of the batches, else shuffled."""
        if order is None:
            loader = DataLoader(self.train, batch_size=TRAINING.batch_size, shuffle=True)
        else:
            loader = DataLoader(self.train, batch_sampler=order)
        train_loss = self.train_on(loader) / len(self.train)
        self.net.eval()
        total = 0.0
        with torch.no_grad():
            for x_BTF, labels_B in DataLoader(self.validation, batch_size=256):
                loss = cross_entropy(_logits(self.net, x_BTF), labels_B)
                total += loss.item() * len(labels_B)
        return train_loss, total / len(self.validation)

    def train_on(self, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
        """Train on batches of clips and labels; the sum of the rows' losses."""
        self.net.train()
        total = 0.0
        for x_BTF, labels_B in batches:
            self.optimizer.zero_grad()
            loss = cross_entropy(_logits(self.net, x_BTF), labels_B)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(labels_B)
        return total


def measure(options: Options) -> list[Figure]:
    """Each network by itself."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as trials do
    sizes = FEW if options.small else MANY
    return [one for name, net in NETS.items() for one in _of_net(name, net, options.pairs, sizes)]


def _of_net(
    name: str, fields: dict[str, object], pairs: int, sizes: tuple[int, int]
) -> list[Figure]:
    config = model_config(fields)
    with _both(config, *FEW) as (learner, plain):
        order = global_batches(FEW[0], TRAINING.batch_size, SEED, 0)
        ours, theirs = learner.advance().metrics, plain.epoch([rows.tolist() for rows in order])
        equal(f"{name}: losses", [ours["train_loss"], ours["val_loss"]], theirs, 1e-3)
    with _both(config, *sizes) as (learner, plain):
        ways = {"ours": lambda _: timed(learner.advance), "loop": lambda _: timed(plain.epoch)}
        alternate(ways, 1)  # what the first epoch alone takes: buffers, oneDNN's own choices
        found = alternate(ways, pairs)
    rates = {way: [sum(sizes) / seconds for seconds in each] for way, each in found.items()}
    return [
        ratio(f"{name}: samples/s, of the loop's", rates["ours"], rates["loop"], at_least(1.0)),
        figure(f"{name}: host tier", "samples/s", rates["ours"]),
    ]


@contextmanager
def _both(
    config: ModelConfig, num_train: int, num_validation: int
) -> Iterator[tuple[Learner, Plain]]:
    """Both ways on as many rows, before their first epoch."""
    device = torch.device("cpu")
    with _data(num_train, num_validation) as (data, x_NTF, labels_N):
        learner = Learner(config, TRAINING, NOT_AUGMENTED, data, seed=SEED, device=device)
        plain = Plain(*_sides(x_NTF, labels_N, num_train), fresh(config, data.shapes))
        yield learner, plain
        learner.close()


@contextmanager
def _data(num_train: int, num_validation: int) -> Iterator[tuple[SplitData, Tensor, Tensor]]:
    """The host tier's, and the same rows as normalised tensors."""
    frames_R = np.full(num_train + num_validation, FRAMES)
    arrays = noise_arrays(BINS, frames_R, CLASSES)
    mean_F, std_F = arrays.stats.mean_std(slice(0, num_train))
    z_SF = ((arrays.values - mean_F) / (std_F + 1e-5)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        source = feature_source(
            Path(folder), "noise", "mel", LogMelConfig(n_mels=BINS, hop_ms=20.0)
        )
        place = {"rank": 0, "world_size": 1, "batch_size": TRAINING.batch_size}
        with SplitData(
            noise_rows(num_train, num_validation, CLASSES),
            {"mel": source},
            HostReader({"mel": arrays}, {"mel": source.floor}),
            clip_s=TRAINING.clip_s,
            seed=SEED,
            **place,
        ) as data:
            labels_N = torch.arange(len(frames_R)) % CLASSES
            yield data, torch.from_numpy(z_SF).view(len(frames_R), FRAMES, BINS), labels_N


def _sides(x_NTF: Tensor, labels_N: Tensor, num_train: int) -> tuple[TensorDataset, TensorDataset]:
    train = TensorDataset(x_NTF[:num_train], labels_N[:num_train])
    return train, TensorDataset(x_NTF[num_train:], labels_N[num_train:])


def fresh(config: ModelConfig, shapes: Mapping[str, StreamShape]) -> Model:
    """The network as a trial begins with it."""
    torch.manual_seed(seed_from(SEED, "init"))
    return build_model(config, shapes, CLASSES)


def _logits(net: nn.Module, x_BTF: Tensor) -> Tensor:
    lengths_B = torch.full((len(x_BTF),), FRAMES)
    logits_BK: Tensor = net({"mel": x_BTF}, {"mel": lengths_B})
    return logits_BK


if __name__ == "__main__":
    run_script("epochs", __doc__, measure)
