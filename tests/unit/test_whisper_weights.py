"""Files of Whisper: three formats of one encoder, sizes that are read from each, and bad ones."""

# Axis letters name tensor shapes.

import os
import pickle
import struct

import numpy as np
import pytest
import tiny_whisper
import torch
from safetensors.torch import save_file
from tiny_whisper import NUM_HEADS, NUM_LAYERS, WIDTH

from raysearch.errors import DataError, MissingPathError
from raysearch.features.ssl import Ssl, SslConfig
from raysearch.features.ssl_weights import inspect_weights


def frames(path, **fields):
    waveform_N = np.random.default_rng(0).normal(0, 0.1, 5000).astype(np.float32)
    return Ssl(SslConfig(weights=str(path), **fields))([waveform_N])[0]


@pytest.fixture(scope="module")
def tensors():
    return tiny_whisper.openai()


@pytest.fixture(scope="module")
def expected(tensors, tmp_path_factory):
    return frames(tiny_whisper.write_openai(tmp_path_factory.mktemp("w") / "any.pt", tensors))


def write(folder, kind, tensors):
    if kind == "openai":
        return tiny_whisper.write_openai(folder / "tiny.pt", tensors)
    if kind == "folder of openai":
        return tiny_whisper.write_openai(folder / "base.en.pt", tensors).parent
    if kind == "generation":
        return tiny_whisper.write_hugging_face(folder, tensors)
    if kind == "model":
        return tiny_whisper.write_hugging_face(folder, tensors, prefix="")
    if kind == "pytorch_model.bin":
        tiny_whisper.write_hugging_face(folder, tensors)
        (folder / "model.safetensors").unlink()
        torch.save(tiny_whisper.hugging_face(tensors), folder / "pytorch_model.bin")
        return folder
    variables = tiny_whisper.ctranslate2(tensors)
    if kind == "ctranslate2":
        return tiny_whisper.write_ctranslate2(folder, variables)
    moved = variables.pop("encoder/conv1/bias")
    aliases = [("encoder/conv1/bias", "encoder/shared")]
    tiny_whisper.write_ctranslate2(folder, {**variables, "encoder/shared": moved}, aliases=aliases)
    return folder / "model.bin"


@pytest.mark.parametrize(
    "kind",
    ["openai", "folder of openai", "generation", "model", "pytorch_model.bin", "ctranslate2"],
)
def test_every_format_gives_the_same_frames(tmp_path, tensors, expected, kind):
    path = write(tmp_path / "w", kind, tensors)
    SslConfig(weights=str(path)).check_external_files()
    np.testing.assert_array_equal(frames(path), expected)
    sizes = inspect_weights(path)
    assert (sizes.family, sizes.n_mels, sizes.width) == ("whisper", 80, WIDTH)
    assert (sizes.num_layers, sizes.num_heads, sizes.feed_forward) == (NUM_LAYERS, NUM_HEADS, 48)
    assert sizes.max_frames == tiny_whisper.MAX_FRAMES


def test_half_precision_is_read(tmp_path, tensors, expected):
    halves = {name: tensor.half() for name, tensor in tensors.items()}
    for path in (
        tiny_whisper.write_openai(tmp_path / "half.pt", halves),
        tiny_whisper.write_ctranslate2(tmp_path / "half", tiny_whisper.ctranslate2(halves)),
    ):
        np.testing.assert_allclose(frames(path), expected, atol=0.05)


@pytest.mark.parametrize(("kind", "tolerance"), [("int8", 0.2), ("int16", 0.02)])
def test_quantised_weights_are_scaled_back(tmp_path, tensors, expected, kind, tolerance):
    variables = tiny_whisper.ctranslate2(tensors, kind)
    folder = tiny_whisper.write_ctranslate2(tmp_path, variables)
    SslConfig(weights=str(folder)).check_external_files()
    np.testing.assert_allclose(frames(folder), expected, atol=tolerance)


def test_large_v3s_128_mel_bins(tmp_path):
    wide = tiny_whisper.openai(n_mels=128, num_layers=1)
    path = tiny_whisper.write_openai(tmp_path / "w.pt", wide, n_mels=128, n_audio_layer=1)
    assert inspect_weights(path).n_mels == 128
    assert frames(path).shape == (16, WIDTH)


def test_a_bare_safetensors_needs_no_config_if_heads_are_64_wide(tmp_path, monkeypatch, tensors):
    bare = {f"model.{name}" if name[0] == "d" else name: t for name, t in tensors.items()}
    save_file(bare, tmp_path / "whisper.safetensors")
    with pytest.raises(MissingPathError, match="the number of its attention heads"):
        inspect_weights(tmp_path / "whisper.safetensors")
    monkeypatch.setattr(tiny_whisper, "WIDTH", 128)
    save_file(tiny_whisper.openai(), tmp_path / "wide.safetensors")
    assert inspect_weights(tmp_path / "wide.safetensors").num_heads == 2


class Code:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def changed(variables, **changes):
    return {**variables, **{name.replace("__", "/"): value for name, value in changes.items()}}


def damage(folder, how, tensors):
    """One thing wrong with a good file."""
    folder.mkdir()
    variables, path = tiny_whisper.ctranslate2(tensors), folder / "model.bin"
    lacking = {k: v for k, v in tensors.items() if k != "encoder.blocks.1.attn.key.weight"}
    if how == "code":
        path.write_bytes(pickle.dumps({"dims": Code()}))
    elif how == "lacking":
        return tiny_whisper.write_openai(folder / "w.pt", lacking)
    elif how == "only a decoder":
        decoder = {k: v for k, v in tensors.items() if k[0] == "d"}
        return tiny_whisper.write_openai(folder / "w.pt", decoder)
    elif how == "another config":
        return tiny_whisper.write_hugging_face(folder, tensors, encoder_layers=12)
    elif how == "odd heads":
        return tiny_whisper.write_openai(folder / "w.pt", tensors, n_audio_head=5)
    elif how == "words for heads":
        return tiny_whisper.write_openai(folder / "w.pt", tensors, n_audio_head="many")
    elif how == "rank":
        rank = {**tensors, "encoder.conv1.weight": torch.zeros(WIDTH, 80)}
        return tiny_whisper.write_openai(folder / "w.pt", rank)
    elif how == "nan":
        return tiny_whisper.write_ctranslate2(
            folder, changed(variables, encoder__conv1__bias=np.full(WIDTH, np.nan, np.float32))
        )
    elif how == "a bias of the keys":
        bias = np.ones(3 * WIDTH, np.float32)
        name = "encoder/layer_1/self_attention/linear_0/bias"
        return tiny_whisper.write_ctranslate2(folder, {**variables, name: bias})
    elif how == "whole numbers":
        return tiny_whisper.write_ctranslate2(
            folder, changed(variables, encoder__conv1__bias=np.ones(WIDTH, np.int8))
        )
    elif how == "scale":
        return tiny_whisper.write_ctranslate2(
            folder, changed(variables, encoder__conv1__bias_scale=np.ones(3, np.float32))
        )
    elif how == "another spec":
        return tiny_whisper.write_ctranslate2(folder, variables, spec="Wav2Vec2Spec")
    elif how == "another version":
        return tiny_whisper.write_ctranslate2(folder, variables, version=5)
    else:
        tiny_whisper.write_ctranslate2(folder, variables)
        good = path.read_bytes()
        start = good.index(b"encoder/conv1/bias\0") + len(b"encoder/conv1/bias\0")
        if how == "truncated":
            path.write_bytes(good[: len(good) // 2])
        elif how == "truncated header":
            path.write_bytes(good[:20])
        elif how == "shape":
            path.write_bytes(good[: start + 1] + struct.pack("<I", 1 << 31) + good[start + 5 :])
        elif how == "type":
            path.write_bytes(good[: start + 5] + b"\x63" + good[start + 6 :])
        elif how == "endless":
            at = good.index(b"WhisperSpec\0") + 16
            path.write_bytes(good[:at] + b"\xff" * 4 + good[at + 4 :])
    return path


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("code", "not weights that can be read safely"),
        ("lacking", r"it lacks 'layers\.1\.attention\.k_proj\.weight'"),
        ("only a decoder", "no HuBERT, wav2vec2, WavLM or Whisper encoder"),
        ("another config", "its config has num_layers 12, its tensors 3"),
        ("odd heads", "width 32 is no multiple of num_heads"),
        ("words for heads", "num_heads is 'many'"),
        ("rank", "not enough values to unpack"),
        ("nan", r"conv1\.bias' holds NaN"),
        ("a bias of the keys", r"holds 'layers\.1\.attention\.k_proj\.bias', which is unknown"),
        ("whole numbers", r"conv1\.bias' holds NaN, infinite or whole numbers"),
        ("scale", "'encoder/conv1/bias' does not fit its scale"),
        ("another spec", "it is a Wav2Vec2Spec, expected a WhisperSpec"),
        ("another version", "its binary version is 5, expected 6"),
        ("truncated", "it is cut off"),
        ("truncated header", "it is cut off"),
        ("shape", r"'encoder/conv1/bias' has shape \(2147483648,\) of float32 in 128 bytes"),
        ("type", "'encoder/conv1/bias' is of type 99, which is unknown"),
        ("endless", "it announces 4294967295 variables"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, monkeypatch, tensors, how, message):
    monkeypatch.chdir(tmp_path)
    settings = SslConfig(weights=str(damage(tmp_path / "w", how, tensors)))
    with pytest.raises(DataError, match=message) as caught:
        settings.check_external_files()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()
