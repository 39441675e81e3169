"""Files of SSL encoders: their sizes, what must lie beside them, and bad ones."""

# Axis letters name tensor shapes.

import os
import pickle
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_encoder import (
    WIDTH,
    config,
    hugging_face_names,
    network,
    save,
    write_config,
    write_file,
)

from raysearch.errors import ConfigError, DataError, MissingPathError
from raysearch.features.ssl import Ssl, SslConfig
from raysearch.features.ssl_sizes import HUBERT_BASE, EncoderSizes
from raysearch.features.ssl_weights import inspect_weights
from raysearch.prerequisites import check_prerequisites
from raysearch.spec import SearchSpec


def noise(num_samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, num_samples).astype(np.float32)


def test_sizes_are_read_from_tensors_and_config(tmp_path):
    sizes = inspect_weights(write_file(tmp_path, "wavlm-large"))
    assert (sizes.family, sizes.width, sizes.num_layers, sizes.num_heads) == ("wavlm", WIDTH, 3, 4)
    assert (sizes.conv_norm, sizes.norm_first, sizes.num_buckets) == ("layer_norm", True, 32)
    assert (sizes.max_distance, sizes.hop, sizes.receptive) == (80, 320, 400)


def test_a_torchaudio_file_whose_heads_are_64_wide_needs_no_config(tmp_path):
    path = save(network(width=128, num_heads=2).state_dict(), tmp_path / "w.pth")
    assert inspect_weights(path).num_heads == 2


def test_torchaudios_words_in_a_config_are_understood(tmp_path):
    path = save(network("large").state_dict(), tmp_path / "w.pth")
    write_config(tmp_path, encoder_num_heads=4, encoder_layer_norm_first=False)
    sizes = inspect_weights(path)
    assert (sizes.num_heads, sizes.norm_first) == (4, False)


def test_hubert_base_is_counted_as_published():
    assert (HUBERT_BASE.hop, HUBERT_BASE.receptive) == (320, 400)
    assert HUBERT_BASE.num_frames(48_000) == 149


def test_without_weights_shapes_are_hubert_bases_and_work_is_refused():
    settings = SslConfig()
    assert Ssl(settings).num_bins == 768
    assert Ssl(SslConfig(layer="weighted")).num_bins == 12 * 768
    assert settings.identity()["weights"] is None
    for refused in (settings.check_external_files, lambda: Ssl(settings)([noise(500)])):
        with pytest.raises(ConfigError, match=r"hubert_fairseq_base_ls960\.pth.*--set features"):
            refused()


@pytest.mark.parametrize("space", ["mfhca", "mfhca-gpu"])
def test_the_spaces_are_ready_once_weights_are_given(tmp_path, space):
    with pytest.raises(ConfigError, match=r"features\.ssl\.weights is null.*download"):
        check_prerequisites(SearchSpec.load(space))
    check_prerequisites(SearchSpec.load(space, [f"features.ssl.weights={write_file(tmp_path)}"]))


def test_identity_is_the_content_not_the_path(tmp_path):
    path = write_file(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    of_a = SslConfig(weights=str(path)).identity()
    assert of_a == SslConfig(weights=str(tmp_path / "b/encoder.pth")).identity()
    assert str(tmp_path) not in repr(of_a)
    other = write_file(tmp_path / "c", seed=1)
    assert SslConfig(weights=str(other)).identity() != of_a
    # The same tensors split into other heads are another encoder.
    write_config(tmp_path / "b", **{**config(), "num_attention_heads": 8})
    assert SslConfig(weights=str(tmp_path / "b/encoder.pth")).identity() != of_a


def test_weights_are_made_absolute_for_workers(tmp_path, monkeypatch):
    write_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert SslConfig(weights="encoder.pth").weights == str(tmp_path / "encoder.pth")


class Code:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def damage(folder, how):
    """One thing wrong with a good file and its config."""
    path, tensors = write_file(folder), network().state_dict()
    first = "feature_extractor.conv_layers.0.conv.weight"
    layer = "encoder.transformer.layers.1.attention.k_proj.weight"
    if how == "no file":
        return folder / "absent.pth"
    if how == "empty folder":
        (folder / "empty").mkdir()
        return folder / "empty"
    if how == "no heads":
        (folder / "config.json").unlink()
    elif how == "no config":
        (folder / "config.json").unlink()
        save(hugging_face_names(tensors), path)
    elif how == "code":
        path.write_bytes(pickle.dumps({"w": Code()}))
    elif how == "no tensors":
        torch.save([1, 2], path)
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    elif how == "another network":
        torch.save({"conv1.weight": torch.zeros(3)}, path)
    elif how == "another config":
        write_config(folder, **config(num_layers=12))
    elif how == "broken config":
        (folder / "config.json").write_text("{")
    elif how == "odd heads":
        write_config(folder, **config(num_heads=5))
    elif how == "odd stride":
        write_config(folder, **{**config(), "conv_stride": [5, 2, 2, 2, 2, 2, 0]})
    elif how == "lacking":
        torch.save({k: v for k, v in tensors.items() if k != layer}, path)
    elif how == "unknown":
        torch.save({**tensors, "encoder.extra": torch.zeros(2)}, path)
    elif how == "shape":
        torch.save({**tensors, layer: torch.zeros(WIDTH, WIDTH + 1)}, path)
    elif how == "rank":
        torch.save({**tensors, first: torch.zeros(())}, path)
    elif how == "nan":
        torch.save({**tensors, layer: torch.full((WIDTH, WIDTH), float("nan"))}, path)
    return path


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("no file", MissingPathError, r"absent\.pth is not there: download .*hubert"),
        ("empty folder", MissingPathError, r"holds no .*safetensors.* file: download"),
        ("no heads", MissingPathError, "without its config: the number of its attention heads"),
        ("no config", MissingPathError, "without its config: its heads and strides cannot"),
        ("code", DataError, "not weights that can be read safely"),
        ("no tensors", DataError, "not a state dict"),
        ("truncated", DataError, "not weights that can be read safely"),
        (
            "another network",
            DataError,
            "no HuBERT, wav2vec2, WavLM or Whisper encoder: it lacks 'encoder",
        ),
        ("another config", DataError, "its config has num_hidden_layers 12, its tensors 3"),
        ("broken config", DataError, r"config\.json: cannot be read as an encoder's config"),
        ("odd heads", DataError, "width 32 is no multiple of num_heads"),
        ("odd stride", DataError, r"conv\.6\.2 is 0"),
        ("lacking", DataError, "lacks 'encoder.transformer.layers.1.attention.k_proj.weight'"),
        ("unknown", DataError, r"holds 'encoder\.extra', which is unknown"),
        ("shape", DataError, r"k_proj.weight' has shape \(32, 33\), expected \(32, 32\)"),
        ("rank", DataError, "no HuBERT|convolution"),
        ("nan", DataError, "k_proj.weight' holds NaN"),
    ],
)
def test_bad_weights_are_refused_in_one_line(tmp_path, monkeypatch, how, error, message):
    monkeypatch.chdir(tmp_path)
    settings = SslConfig(weights=str(damage(tmp_path / "w", how)))
    with pytest.raises(error, match=message) as caught:
        settings.check_external_files()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4)), min_size=1, max_size=4),
    st.integers(1, 2000),
)
def test_frames_are_counted_as_convolutions_do(kernels, num_samples):
    sizes = EncoderSizes(
        **{**HUBERT_BASE.model_dump(), "conv": [(1, kernel, stride) for kernel, stride in kernels]}
    )
    num_samples = max(num_samples, sizes.receptive)
    left = num_samples
    for kernel, stride in kernels:
        left = (left - kernel) // stride + 1
    assert sizes.num_frames(num_samples) == left
    assert sizes.num_frames(num_samples + sizes.hop) == left + 1
