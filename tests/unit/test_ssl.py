"""SSL encoders: files in their real formats, and frames that are torchaudio's own."""

# Axis letters name tensor shapes.

import numpy as np
import pytest
import torch
from tiny_encoder import (
    STYLES,
    WIDTH,
    config,
    hugging_face_names,
    network,
    old_names,
    save,
    write_config,
    write_file,
)

from raysearch.features import ssl_encoding
from raysearch.features.ssl import Ssl, SslConfig
from raysearch.features.ssl_encoder import SslEncoder
from raysearch.features.ssl_sizes import EncoderPlan
from raysearch.features.ssl_weights import inspect_weights, load_weights


def noise(num_samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, num_samples).astype(np.float32)


def frames(path, waveform_N, **fields):
    return Ssl(SslConfig(weights=str(path), **fields))([waveform_N])[0]


@pytest.mark.parametrize("style", STYLES)
def test_frames_are_those_of_torchaudios_own_network(tmp_path, style):
    path, original = write_file(tmp_path, style), network(style)
    waveform_N = noise(9000)
    x_BN = torch.tensor(waveform_N)[None]
    if style.endswith("large"):  # as torchaudio's bundles do for these
        x_BN = torch.nn.functional.layer_norm(x_BN, x_BN.shape)
    with torch.no_grad():
        last, layers = original(x_BN)[0], original.extract_features(x_BN)[0]
    np.testing.assert_allclose(frames(path, waveform_N), last[0], rtol=1e-4, atol=1e-4)
    for number, layer in enumerate(layers, start=1):
        found = frames(path, waveform_N, layer=number)
        np.testing.assert_allclose(found, layer[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        frames(path, waveform_N, layer="weighted"), torch.cat(layers, 2)[0], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("style", STYLES)
def test_every_format_gives_the_same_frames(tmp_path, style):
    waveform_N, tensors = noise(3000), network(style).state_dict()
    expected = frames(write_file(tmp_path / "torchaudio", style), waveform_N)
    prefix = "wavlm." if style.startswith("wavlm") else "hubert."
    renamed = hugging_face_names(tensors, prefix)
    paths = [
        save(old_names(tensors), tmp_path / "old/encoder.pt"),
        save(tensors, tmp_path / "safe/encoder.safetensors"),
        save(renamed, tmp_path / "hf/model.safetensors").parent,
        save(old_names(renamed), tmp_path / "bin/pytorch_model.bin").parent,
        save(hugging_face_names(tensors, ""), tmp_path / "bare/model.safetensors"),
    ]
    for path in paths:
        write_config(path if path.is_dir() else path.parent, **config(style))
        np.testing.assert_array_equal(frames(path, waveform_N), expected)


def test_a_gpus_convolutions_keep_all_their_bits(tmp_path, monkeypatch):
    """Stored frames are the same wherever they were computed; training is as torch has it."""
    found = []

    def encode(self, x_BN):
        found.append(torch.backends.cudnn.allow_tf32)
        return forward(self, x_BN)

    forward = SslEncoder.forward
    monkeypatch.setattr(SslEncoder, "forward", encode)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    path = write_file(tmp_path, "base")
    frames(path, noise(4000))
    assert found == [False]
    assert torch.backends.cudnn.allow_tf32


def test_half_precision_is_read(tmp_path):
    halves = {name: tensor.half() for name, tensor in network().state_dict().items()}
    save(halves, tmp_path / "half.pth")
    write_config(tmp_path, **config())
    whole = frames(write_file(tmp_path / "whole"), noise(3000))
    found = frames(tmp_path / "half.pth", noise(3000))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, whole, atol=0.05)


@pytest.mark.parametrize("style", STYLES)
def test_a_row_is_encoded_as_if_it_had_no_padding(tmp_path, style):
    path = write_file(tmp_path, style)
    encoder = SslEncoder(SslConfig(weights=str(path)).plan()).eval()
    encoder.load(load_weights(path))
    rows = [torch.tensor(noise(n, seed=n)) for n in (300, 4000, 9000)]
    lengths_B = torch.tensor([len(row) for row in rows])
    x_BN = torch.full((3, 9000), 7.0)  # padding that must not be seen
    for row, values in zip(x_BN, rows, strict=True):
        row[: len(values)] = values
    with torch.no_grad():
        found_BTF, frames_B = encoder(x_BN, lengths_B)
        alone = [encoder(row[None])[0][0] for row in rows]
    assert frames_B.tolist() == [len(item) for item in alone] == [1, 12, 27]
    for row_TF, expected_TF in zip(found_BTF, alone, strict=True):
        torch.testing.assert_close(row_TF[: len(expected_TF)], expected_TF, rtol=1e-3, atol=1e-3)
        assert not row_TF[len(expected_TF) :].any()


@pytest.mark.parametrize("style", ["base", "wavlm-large"])
def test_a_row_of_frames_does_not_depend_on_its_batch(tmp_path, style):
    extractor = Ssl(SslConfig(weights=str(write_file(tmp_path, style))))
    waveforms = [noise(n, seed=n) for n in (1, 399, 401, 7000, 16_001)]
    together = extractor(waveforms)
    for waveform_N, expected in zip(waveforms, together, strict=True):
        np.testing.assert_array_equal(extractor([waveform_N])[0], expected)
        assert np.isfinite(expected).all()
    assert [len(item) for item in together] == [1, 1, 1, 21, 49]


def test_long_audio_is_encoded_in_pieces_without_losing_a_frame(tmp_path, monkeypatch):
    path = write_file(tmp_path)
    monkeypatch.setattr(ssl_encoding, "PIECE_S", 1)
    whole = inspect_weights(path)
    for num_samples in (15_999, 16_000, 16_079, 16_080, 32_400, 50_000):
        found = frames(path, noise(num_samples))
        assert len(found) == whole.num_frames(num_samples)
    encoder = Ssl(SslConfig(weights=str(path)))
    first = encoder([noise(50_000)[: 16_000 + 80]])[0]
    np.testing.assert_array_equal(encoder([noise(50_000)])[0][:50], first)


def test_tuned_gives_the_waveform_and_what_encodes_it(tmp_path):
    settings = SslConfig(weights=str(write_file(tmp_path)), mode="tuned", layer=2)
    extractor = Ssl(settings)
    shape = extractor.shape(3.0)
    assert (shape.kind, shape.num_bins, shape.num_frames) == ("waveform", 1, 48_000)
    assert EncoderPlan.model_validate_json(shape.encoder) == settings.plan()
    waveform_N = noise(700)
    np.testing.assert_array_equal(extractor([waveform_N])[0], waveform_N[:, None])


def test_a_frozen_shape_names_its_layers(tmp_path):
    path = str(write_file(tmp_path))
    shape = Ssl(SslConfig(weights=path, layer="weighted")).shape(2.0)
    assert (shape.kind, shape.num_layers, shape.num_bins) == ("frames", 3, 3 * WIDTH)
    assert Ssl(SslConfig(weights=path, layer=2)).shape(2.0).num_bins == WIDTH


def test_a_layer_is_dropped_from_the_network_if_it_is_not_read(tmp_path):
    plan = SslConfig(weights=str(write_file(tmp_path, "large")), layer=2).plan()
    encoder = SslEncoder(plan)
    encoder.load(load_weights(tmp_path / "encoder.pth"))
    encoder(torch.randn(2, 3000), torch.tensor([3000, 1000]))[0].square().sum().backward()
    unreached = [n for n, p in encoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached


def test_a_layer_beyond_the_encoders_is_its_last(tmp_path):
    path = str(write_file(tmp_path))
    deep, third = (SslConfig(weights=path, layer=number) for number in (9, 3))
    assert deep.identity() == third.identity()
    np.testing.assert_array_equal(Ssl(deep)([noise(900)])[0], Ssl(third)([noise(900)])[0])
