"""Whisper's encoder: its spectrogram, its frames, what silence and neighbours may not change."""

# Axis letters name tensor shapes.

import numpy as np
import pytest
import tiny_whisper
import torch
from tiny_whisper import MAX_FRAMES, NUM_HEADS, NUM_LAYERS, WIDTH
from torch import nn
from torch.nn import functional

from raysearch.features.compiled_librosa import load_librosa
from raysearch.features.ssl import Ssl, SslConfig
from raysearch.features.ssl_encoder import SslEncoder
from raysearch.features.ssl_sizes import EncoderPlan
from raysearch.features.ssl_weights import load_weights
from raysearch.features.whisper_mel import WhisperMel

librosa = load_librosa()

HOP = 320
WHOLE = MAX_FRAMES * HOP  # what is 30 s to the tiny encoder


def noise(num_samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, num_samples).astype(np.float32)


def silenced(waveform_N):
    return np.pad(waveform_N, (0, WHOLE - len(waveform_N)))


def librosa_mel(x_N, n_mels=80):
    """The front end in librosa's words; frame t is centred, the last is left out."""
    spectrum = librosa.stft(x_N, n_fft=400, hop_length=160, center=True, pad_mode="reflect")
    power = np.abs(spectrum[:, :-1]) ** 2
    log = np.log10(
        np.maximum(librosa.filters.mel(sr=16000, n_fft=400, n_mels=n_mels) @ power, 1e-10)
    )
    return (np.maximum(log, log.max() - 8) + 4) / 4


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_whisper.write_openai(tmp_path_factory.mktemp("w") / "w.pt", tiny_whisper.openai())


def encoder(path, layer="last"):
    made = SslEncoder(SslConfig(weights=str(path), layer=layer).plan()).eval()
    made.load(load_weights(path))
    return made


def encoded(made, waveform_N, length=None):
    lengths_B = None if length is None else torch.tensor([length])
    with torch.no_grad():
        return made(torch.tensor(waveform_N)[None], lengths_B)[0][0]


def reference(x_N):
    """Each layer's output and the closed one, from torch's own layers, over all of ``x_N``."""
    t = tiny_whisper.openai()
    h = torch.from_numpy(librosa_mel(np.pad(x_N, (0, 800)))[:, : 2 * MAX_FRAMES])[None]
    for name, stride in (("conv1", 1), ("conv2", 2)):
        weight, bias = (t[f"encoder.{name}.{kind}"] for kind in ("weight", "bias"))
        h = functional.gelu(functional.conv1d(h, weight, bias, stride=stride, padding=1))
    h, outputs = h.transpose(1, 2) + t["encoder.positional_embedding"], []
    for block in (f"encoder.blocks.{number}" for number in range(NUM_LAYERS)):
        layer = nn.TransformerEncoderLayer(
            WIDTH, NUM_HEADS, tiny_whisper.HIDDEN, 0.0, "gelu", batch_first=True, norm_first=True
        )
        query, value = (t[f"{block}.attn.{name}.bias"] for name in ("query", "value"))
        own = {"self_attn.in_proj_bias": torch.cat([query, torch.zeros(WIDTH), value])}
        parts = [t[f"{block}.attn.{name}.weight"] for name in ("query", "key", "value")]
        own["self_attn.in_proj_weight"] = torch.cat(parts)
        names = {"self_attn.out_proj": "attn.out", "linear1": "mlp.0", "linear2": "mlp.2"}
        for new, old in {**names, "norm1": "attn_ln", "norm2": "mlp_ln"}.items():
            own |= {f"{new}.{kind}": t[f"{block}.{old}.{kind}"] for kind in ("weight", "bias")}
        layer.load_state_dict(own)
        h = layer.train()(h)
        outputs.append(h[0].detach())
    norm = [t[f"encoder.ln_post.{kind}"] for kind in ("weight", "bias")]
    return outputs, functional.layer_norm(h, (WIDTH,), *norm)[0].detach()


@pytest.mark.parametrize("n_mels", [80, 128])
def test_the_spectrogram_is_librosas_over_the_clip_and_its_silence(n_mels):
    waveform_N = noise(5000)
    found_MT = WhisperMel(n_mels)(torch.tensor(waveform_N)[None], 40)[0]
    expected_MT = librosa_mel(np.pad(waveform_N, (0, 25_000)), n_mels)[:, :40]
    np.testing.assert_allclose(found_MT, expected_MT, atol=1e-5)
    silence_MT = found_MT[:, 34:] - found_MT.max()
    assert silence_MT.sub(-2).abs().max() < 1e-6  # eight decades, in fours


def test_a_sound_at_the_very_end_sets_the_loudest_value():
    """It lies in the frame after the last that the convolutions see."""
    waveform_N = np.zeros(639, np.float32)
    waveform_N[-1] = 1.0
    expected_MT = librosa_mel(np.pad(waveform_N, (0, 25_000)))[:, :5]
    found_MT = WhisperMel(80)(torch.tensor(waveform_N)[None], 5)[0]
    np.testing.assert_allclose(found_MT, expected_MT, atol=1e-5)


def test_a_whole_window_is_encoded_as_torchs_own_layers_do(path):
    outputs, closed_TF = reference(noise(WHOLE))
    torch.testing.assert_close(
        encoded(encoder(path), noise(WHOLE)), closed_TF, rtol=1e-4, atol=1e-4
    )
    for number, expected_TF in enumerate(outputs, start=1):
        found_TF = encoded(encoder(path, number), noise(WHOLE))
        torch.testing.assert_close(found_TF, expected_TF, rtol=1e-4, atol=1e-4)
    found_TF = encoded(encoder(path, "weighted"), noise(WHOLE))
    torch.testing.assert_close(found_TF, torch.cat(outputs, dim=1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("num_samples", [1, 319, 320, 321, 7000, 7041, WHOLE - 1, WHOLE])
def test_a_clip_is_encoded_as_in_the_silence_that_attention_leaves_out(path, num_samples):
    made, waveform_N = encoder(path), noise(num_samples)
    alone_TF = encoded(made, waveform_N)
    assert len(alone_TF) == max(1, -(-num_samples // HOP))
    padded_TF = encoded(made, silenced(waveform_N), num_samples)
    torch.testing.assert_close(padded_TF[: len(alone_TF)], alone_TF, rtol=1e-4, atol=1e-5)
    assert not padded_TF[len(alone_TF) :].any()


def test_a_row_is_encoded_as_if_it_were_alone(path):
    made = encoder(path)
    rows = [torch.tensor(noise(n, seed=n)) for n in (1, 300, 4000, 9000)]
    lengths_B = torch.tensor([len(row) for row in rows])
    x_BN = torch.full((4, 9000), 7.0)  # padding that must not be seen
    for row, values in zip(x_BN, rows, strict=True):
        row[: len(values)] = values
    with torch.no_grad():
        found_BTF, frames_B = made(x_BN, lengths_B)
        alone = [made(row[None])[0][0] for row in rows]
    assert frames_B.tolist() == [len(item) for item in alone] == [1, 1, 13, 29]
    for row_TF, expected_TF in zip(found_BTF, alone, strict=True):
        torch.testing.assert_close(row_TF[: len(expected_TF)], expected_TF, rtol=1e-4, atol=1e-5)
        assert not row_TF[len(expected_TF) :].any()


def test_what_is_longer_goes_in_pieces_without_losing_a_frame(path):
    made, waveform_N = encoder(path), noise(2 * WHOLE + 700)
    found_TF = encoded(made, waveform_N)
    assert len(found_TF) == 2 * MAX_FRAMES + 3
    for number in range(3):
        first = number * MAX_FRAMES
        piece_TF = encoded(made, waveform_N[first * HOP : (first + MAX_FRAMES) * HOP])
        torch.testing.assert_close(found_TF[first : first + MAX_FRAMES], piece_TF)
    short_BTF, frames_B = made(torch.tensor(waveform_N)[None], torch.tensor([900]))
    assert (frames_B.item(), short_BTF.shape[1]) == (3, len(found_TF))
    assert short_BTF.isfinite().all()
    assert not short_BTF[0, 3:].any()


def test_the_extractor_gives_the_encoders_frames(path):
    settings = SslConfig(weights=str(path))
    extractor = Ssl(settings)
    waveforms = [noise(n, seed=n) for n in (1, 399, 7000, 16_001)]
    together = extractor(waveforms)
    for waveform_N, found_TF in zip(waveforms, together, strict=True):
        np.testing.assert_array_equal(extractor([waveform_N])[0], found_TF)
        assert found_TF.dtype == np.float32
    expected_TF = encoded(encoder(path), waveforms[2])
    np.testing.assert_allclose(together[2], expected_TF, rtol=1e-4, atol=1e-5)
    shape = extractor.shape(2.0)
    assert (shape.num_bins, shape.num_frames, shape.kind) == (WIDTH, 100, "frames")
    assert Ssl(SslConfig(weights=str(path), layer="weighted")).shape(1.0).num_layers == NUM_LAYERS


def test_tuned_gives_the_waveform_and_what_encodes_it(path):
    settings = SslConfig(weights=str(path), mode="tuned", layer=2)
    shape = Ssl(settings).shape(3.0)
    assert (shape.kind, shape.num_bins, shape.num_frames) == ("waveform", 1, 48_000)
    assert EncoderPlan.model_validate_json(shape.encoder) == settings.plan()


@pytest.mark.parametrize("layer", ["last", 2, "weighted"])
def test_the_gradient_reaches_every_parameter(path, layer):
    made = SslEncoder(SslConfig(weights=str(path), layer=layer).plan(), dropout=0.1)
    made.load(load_weights(path))
    made(torch.randn(2, 3000), torch.tensor([3000, 1000]))[0].square().sum().backward()
    unreached = [n for n, p in made.named_parameters() if p.grad is None or not p.grad.any()]
    assert not unreached
    assert len(made.layers) == (2 if layer == 2 else NUM_LAYERS)


def test_half_precision_arithmetic_is_near_the_whole(path):
    made = encoder(path)
    whole_TF = encoded(made, noise(5000), 5000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half_TF = encoded(made, noise(5000), 5000)
    torch.testing.assert_close(half_TF.float(), whole_TF, rtol=0.1, atol=0.1)
