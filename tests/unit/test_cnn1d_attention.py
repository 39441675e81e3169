"""The attention 1D-CNN: its blocks, attentions, pooling, and the L2 of its kernels."""

# Axis letters name tensor shapes.

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_data import TinyData
from torch import Tensor, nn

from raysearch.features.extractor import StreamShape
from raysearch.models.cnn1d_attention import Cnn1dAttention, Cnn1dAttentionConfig
from raysearch.training.data import Batch
from raysearch.training.learner import Learner
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

NUM_BINS = 6


def made(num_frames: int = 40, **fields: object) -> Cnn1dAttention:
    torch.manual_seed(0)
    config = Cnn1dAttentionConfig(**{"filters": 8, "dropout": 0.0, **fields})
    return Cnn1dAttention(config, {"mfcc": StreamShape(NUM_BINS, num_frames, kind="frames")}, 4)


def run(model: Cnn1dAttention, x_BTF: Tensor, lengths: list[int]) -> Tensor:
    logits: Tensor = model({"mfcc": x_BTF}, {"mfcc": torch.tensor(lengths)})
    return logits


def test_three_blocks_with_both_attentions_after_the_second() -> None:
    model = made()
    order: list[str] = []
    for name in ("first", "second", "channel", "spatial", "third", "classifier"):
        getattr(model, name).register_forward_hook(lambda *_, name=name: order.append(name))
    run(model, torch.randn(2, 40, NUM_BINS), [40, 40])
    assert order == ["first", "second", "channel", "spatial", "third", "classifier"]
    kinds = [type(layer) for layer in model.first.children()]
    assert kinds == [nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d, nn.Dropout]


def test_log_mel_can_stand_in_the_place_of_mfcc() -> None:
    config = Cnn1dAttentionConfig(filters=8, inputs="mel")
    assert Cnn1dAttention.required_streams(config) == ("mel",)
    model = Cnn1dAttention(config, {"mel": StreamShape(NUM_BINS, 40, kind="frames")}, 4)
    x_BTF = torch.randn(2, 40, NUM_BINS)
    assert model({"mel": x_BTF}, {"mel": torch.tensor([40, 12])}).shape == (2, 4)
    assert Cnn1dAttentionConfig().identity() == {
        name: value
        for name, value in Cnn1dAttentionConfig().model_dump().items()
        if name not in ("inputs", "head")  # these came later
    }
    assert config.identity()["inputs"] == "mel"


@pytest.mark.parametrize(
    ("attention", "pooling"),
    [*itertools.product(("none", "channel", "spatial", "both"), ("flatten", "mean_std"))],
)
def test_every_setting_learns_everywhere(attention: str, pooling: str) -> None:
    model = made(attention=attention, pooling=pooling)
    run(model, torch.randn(4, 40, NUM_BINS), [40, 30, 9, 1]).square().sum().backward()
    unreached = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached


@settings(max_examples=40, deadline=None)
@given(
    num_frames=st.integers(1, 60),
    pooling=st.sampled_from(["flatten", "mean_std"]),
    data=st.data(),
)
def test_a_row_does_not_depend_on_its_padding(
    num_frames: int, pooling: str, data: st.DataObject
) -> None:
    model = made(num_frames, pooling=pooling).eval()
    length = data.draw(st.integers(1, num_frames))
    x_BTF = torch.randn(1, num_frames, NUM_BINS)
    noisy = x_BTF.clone()
    noisy[:, length:] = 1e3
    expected = run(model, x_BTF, [length])
    assert expected.isfinite().all()
    torch.testing.assert_close(run(model, noisy, [length]), expected)
    # A batch of short clips has fewer frames.
    torch.testing.assert_close(run(model, x_BTF[:, :length], [length]), expected)


@pytest.mark.parametrize(("num_frames", "columns"), [(1, 1), (7, 1), (8, 1), (9, 2), (109, 14)])
def test_flattening_ties_the_classifier_to_the_clip(num_frames: int, columns: int) -> None:
    assert made(num_frames).classifier.in_features == 8 * columns
    assert made(num_frames, pooling="mean_std").classifier.in_features == 16


def test_attention_gates_channels_and_frames() -> None:
    model = made().eval()
    h_BCT = torch.rand(2, 8, 10) + 0.5
    gate_BCT = model.channel(h_BCT) / h_BCT
    torch.testing.assert_close(gate_BCT, gate_BCT[:, :, :1].expand_as(gate_BCT))
    gate_BCT = model.spatial(h_BCT) / h_BCT
    torch.testing.assert_close(gate_BCT, gate_BCT[:, :1].expand_as(gate_BCT))
    assert ((gate_BCT > 0) & (gate_BCT < 1)).all()


def test_the_penalty_is_the_squares_of_the_three_kernels() -> None:
    model = made(l2=0.25)
    kernels = [block.conv.weight for block in (model.first, model.second, model.third)]
    expected = 0.25 * sum(kernel.detach().square().sum().item() for kernel in kernels)
    penalty = model.penalty()
    assert penalty is not None
    assert math.isclose(penalty.item(), expected, rel_tol=1e-5)
    penalty.backward()
    touched = {name for name, p in model.named_parameters() if p.grad is not None}
    assert touched == {"first.conv.weight", "second.conv.weight", "third.conv.weight"}
    torch.testing.assert_close(kernels[0].grad, 0.5 * kernels[0].detach())
    assert made(l2=0.0).penalty() is None


class MfccData(TinyData):
    """The same rows under the name that this network reads."""

    def __init__(self) -> None:
        super().__init__()
        for held in (self.shapes, self.floors, self.normalisation):
            held["mfcc"] = held.pop("mel")  # type: ignore[assignment]

    def _batch(self, *source: Any) -> Batch:
        batch = super()._batch(*source)
        inputs, lengths = {"mfcc": batch.inputs["mel"]}, {"mfcc": batch.lengths["mel"]}
        return replace(batch, inputs=inputs, lengths=lengths)


def test_training_shrinks_kernels_under_a_strong_penalty() -> None:
    sizes = []
    for l2 in (0.0, 1.0):
        learner = Learner(
            Cnn1dAttentionConfig(filters=8, l2=l2),
            TrainingConfig(epochs=3, batch_size=8, learning_rate=0.01),
            SpecAugmentConfig(),
            MfccData(),
            seed=0,
            device=torch.device("cpu"),
        )
        for _ in range(3):
            learner.run_epoch()
        assert isinstance(learner.model, Cnn1dAttention)
        sizes.append(float(learner.model.first.conv.weight.detach().square().sum()))
    assert sizes[1] < 0.8 * sizes[0]
