"""Which ablations apply to a winner, and what each changes; every change resolves."""

import pytest

from raysearch.evaluation.ablate import ABLATIONS
from raysearch.spec import SearchSpec

CHANGES = {ablation.name: ablation.changes for ablation in ABLATIONS}


def fields(space, *settings):
    return SearchSpec.load(space, settings).base.fields()


@pytest.mark.parametrize(
    ("name", "space", "settings", "expected"),
    [
        ("attention", "emohrnet", ["model.fuse_attention=se"], {"model.fuse_attention": "none"}),
        ("attention", "cnn1d_attention", [], {"model.attention": "none"}),
        ("attention", "lstm", ["model.pooling=attention"], {"model.pooling": "mean"}),
        ("prosody", "svm", ["model.inputs=mel+prosody"], {"model.inputs": "mel"}),
        ("pretrained", "resnet34", [], {"model.pretrained": False}),
        ("mel-only", "mfhca", [], {"model.modality": "mel"}),
        ("ssl-only", "mfhca", [], {"model.modality": "ssl"}),
        ("multi-spatial-fusion", "mfhca", [], {"model.multi_spatial": False}),
        ("grf", "mfhca", [], {"model.grf": False}),
        ("cooperative-attention", "mfhca", [], {"model.cooperative": False}),
    ],
)
def test_a_part_is_taken_out(name, space, settings, expected):
    spec = SearchSpec.load(space, settings)
    assert CHANGES[name](fields(space, *settings)) == expected
    assert spec.base.replace(expected)


@pytest.mark.parametrize(
    ("name", "space", "settings"),
    [
        ("attention", "emohrnet", []),
        ("prosody", "cnn", []),
        ("pretrained", "resnet34", ["model.pretrained=false"]),
        ("pretrained", "cnn", []),
        ("grf", "cnn", []),
    ],
)
def test_what_is_not_there_is_said(name, space, settings):
    assert isinstance(CHANGES[name](fields(space, *settings)), str)


def test_augmentation_goes_as_a_whole():
    found = fields("resnet34", "waveform_augment.cells=all", "training.mixup_alpha=0.2")
    changes = CHANGES["augmentation"](found)
    assert changes["waveform_augment.cells"] == "none"
    assert changes["training.mixup_alpha"] == 0.0
    left = {**found, **changes}
    assert isinstance(CHANGES["augmentation"](left), str)


@pytest.mark.parametrize("space", ["emohrnet", "cnn", "resnet34", "lstm"])
def test_low_resolution_is_32_by_32(space):
    spec = SearchSpec.load(space, ["training.clip_s=2"])
    config = spec.base.replace(CHANGES["resolution-32"](spec.base.fields()))
    mel = config.features["mel"]
    assert mel.n_mels == 32
    assert round(2000 / mel.hop_ms) == 32
    assert mel.window_ms >= mel.hop_ms
