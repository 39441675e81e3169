"""The convolutional baseline's blocks."""

# Axis letters name tensor shapes.

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from raysearch.features.extractor import StreamShape
from raysearch.models.cnn import Cnn, CnnConfig


def made(**fields: object) -> Cnn:
    torch.manual_seed(0)
    return Cnn(CnnConfig(**{"width": 4, **fields}), {"mel": StreamShape(40, 64)}, 3)


def run(model: Cnn, x_BTF: Tensor, lengths: list[int]) -> Tensor:
    logits: Tensor = model({"mel": x_BTF}, {"mel": torch.tensor(lengths)})
    return logits


@pytest.mark.parametrize("blocks", [3, 4, 5])
@pytest.mark.parametrize("kernel", [3, 5])
def test_blocks_double_the_channels_and_halve_the_map(blocks: int, kernel: int) -> None:
    model = made(blocks=blocks, kernel=kernel)
    shapes: list[torch.Size] = []
    for block in model.blocks:
        block.register_forward_hook(lambda _m, _a, out: shapes.append(out.shape))
    run(model, torch.randn(2, 64, 40), [64, 64])
    expected = [(2, 4 * 2**i, -(-40 // 2 ** (i + 1)), 64 // 2 ** (i + 1)) for i in range(blocks)]
    assert [tuple(shape) for shape in shapes] == expected
    assert model.classifier.in_features == 4 * 2 ** (blocks - 1)


@settings(max_examples=20, deadline=None)
@given(num_frames=st.integers(1, 50), num_bins=st.integers(8, 80))
def test_any_size_trains(num_frames: int, num_bins: int) -> None:
    model = made(blocks=5).train()
    logits = run(model, torch.randn(1, num_frames, num_bins), [num_frames])
    logits.square().sum().backward()
    assert logits.isfinite().all()
    assert all(p.grad is not None for p in model.parameters())


def test_columns_beyond_the_length_are_not_pooled() -> None:
    # Beyond the receptive field of what is valid, so that no convolution carries them over.
    model = made(blocks=3).eval()
    x_BTF = torch.randn(2, 64, 40)
    changed = x_BTF.clone()
    changed[0, 48:] += 5
    before, after = (run(model, x, [24, 64]) for x in (x_BTF, changed))
    torch.testing.assert_close(after, before)
    assert not torch.allclose(run(model, changed, [64, 64])[0], run(model, x_BTF, [64, 64])[0])
