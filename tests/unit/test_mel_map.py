"""Derivatives of the spectrogram as channels: from the extractor through masks to the networks."""

# Axis letters name tensor shapes.

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from raysearch.features.compiled_librosa import load_librosa
from raysearch.features.extractor import StreamShape
from raysearch.features.log_mel import LogMel, LogMelConfig
from raysearch.models.base import Model
from raysearch.models.layers.mel_map import mel_map
from raysearch.models.model_table import build_model, model_config
from raysearch.training.spec_augment import spec_augment
from raysearch.training.training_sections import SpecAugmentConfig

librosa = load_librosa()

NUM_MELS, NUM_FRAMES = 16, 24
SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"width": 4, "blocks": 2},
    "emohrnet": {"width": 4, "branches": 2, "blocks": 1, "stem_width": 8},
    "lstm": {"hidden": 8},
    "mfhca": {"modality": "mel"},
    "resnet34": {"pretrained": False},
}


def test_the_extractor_puts_derivatives_beside_the_spectrogram() -> None:
    waveform_N = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    plain, derived = (LogMel(LogMelConfig(n_mels=NUM_MELS, deltas=n)) for n in (0, 2))
    (mel_TM,), (found_TF,) = plain([waveform_N]), derived([waveform_N])
    shape = derived.shape(1.0)
    assert (shape.num_bins, shape.num_channels) == (found_TF.shape[1], 3) == (3 * NUM_MELS, 3)
    expected = [mel_TM, *(librosa.feature.delta(mel_TM.T, order=k).T for k in (1, 2))]
    np.testing.assert_allclose(found_TF, np.concatenate(expected, axis=1), atol=1e-4)
    assert plain.shape(1.0).num_channels == 1
    assert "deltas" not in LogMelConfig().identity()


def test_channels_are_blocks_of_bins_and_derivatives_are_padded_with_0() -> None:
    x_BTF = torch.randn(2, 5, 6)
    found_BCHT = mel_map(x_BTF, torch.tensor([5, 3]), 3)
    assert found_BCHT.shape == (2, 3, 2, 5)
    assert torch.equal(found_BCHT[0, 1, :, 4], x_BTF[0, 4, 2:4])
    assert torch.equal(found_BCHT[:, 0], x_BTF[:, :, :2].transpose(1, 2))
    assert not found_BCHT[1, 1:, :, 3:].any()
    assert torch.equal(mel_map(x_BTF, torch.tensor([5, 3]), 1)[:, 0], x_BTF.transpose(1, 2))


def test_a_frequency_is_masked_in_all_channels() -> None:
    torch.manual_seed(0)
    config = SpecAugmentConfig(freq_mask_width=0.5, time_mask_count=0, time_shift=0)
    lengths_B = torch.full((32,), NUM_FRAMES)
    x_BTF = torch.ones(32, NUM_FRAMES, 3 * NUM_MELS)
    shapes = {"mel": StreamShape(3 * NUM_MELS, NUM_FRAMES, num_channels=3)}
    masked = spec_augment({"mel": x_BTF}, {"mel": lengths_B}, config, shapes)
    masked_BF = (masked["mel"] == 0).all(dim=1)
    by_channel_BCM = masked_BF.unflatten(1, (3, NUM_MELS))
    assert by_channel_BCM.any()
    assert torch.equal(by_channel_BCM, by_channel_BCM[:, :1].expand(-1, 3, -1))
    assert (by_channel_BCM[:, 0].sum(dim=1) <= NUM_MELS / 2).all()


def made(name: str, num_channels: int) -> Model:
    torch.manual_seed(0)
    shape = StreamShape(num_channels * NUM_MELS, NUM_FRAMES, num_channels=num_channels)
    return build_model(model_config({"name": name, **SMALL[name]}), {"mel": shape}, 3).eval()


def logits(model: Model, x_BTF: Tensor) -> Tensor:
    found: Tensor = model({"mel": x_BTF}, {"mel": torch.tensor([NUM_FRAMES, 9])})
    return found


@pytest.mark.parametrize("name", sorted(SMALL))
@pytest.mark.parametrize("num_channels", [2, 3])
def test_every_network_reads_every_channel(name: str, num_channels: int) -> None:
    model = made(name, num_channels)
    x_BTF = torch.randn(2, NUM_FRAMES, num_channels * NUM_MELS)
    before = logits(model, x_BTF)
    for channel in range(num_channels):
        other_BTF = x_BTF.clone()
        other_BTF[:, :, channel * NUM_MELS : (channel + 1) * NUM_MELS] += 1
        assert not torch.allclose(logits(model, other_BTF), before)
    assert model.num_params > made(name, 1).num_params
