"""Which ablations apply to a winner, and what each changes; every change resolves."""

import pytest

from raysearch.errors import UserError
from raysearch.evaluation.markdown import markdown_table
from raysearch.evaluation.named_ablations import ABLATIONS, check_names
from raysearch.spec import SearchSpec

SMALLEST = ["training.clip_s=0.64", "features.mel.hop_ms=20", "features.mel.n_mels=32"]
NO_SMOOTHING = "training.label_smoothing=0"
BANK = ["waveform_augment.bank=[noise:20, pitch:2, stretch:0.9]", "waveform_augment.cells=all"]
CHANGES = {ablation.name: ablation.changes for ablation in ABLATIONS}


def fields(space, *settings):
    return SearchSpec.load(space, settings).base.fields()


@pytest.mark.parametrize(
    ("name", "space", "settings", "expected"),
    [
        ("attention", "emohrnet", ["model.fuse_attention=se"], {"model.fuse_attention": "none"}),
        ("attention", "cnn1d_attention", [], {"model.attention": "none"}),
        ("attention", "lstm", ["model.pooling=attention"], {"model.pooling": "mean"}),
        (
            "prosody",
            "svm",
            ["features.prosody.extractor=prosody", "model.inputs=mel+prosody"],
            {"model.inputs": "mel"},
        ),
        ("pretrained", "resnet34", [], {"model.pretrained": False}),
        (
            "masks",
            "emohrnet",
            [],
            {"spec_augment.freq_mask_count": 0, "spec_augment.time_mask_count": 0},
        ),
        ("time-shift", "emohrnet", [], {"spec_augment.time_shift": 0.0}),
        ("mixup", "cnn", ["training.mixup_alpha=0.2"], {"training.mixup_alpha": 0.0}),
        ("noise", "cnn", BANK, {"waveform_augment.cells": "pitch:2+stretch:0.9"}),
        ("pitch", "cnn", BANK, {"waveform_augment.cells": "noise:20+stretch:0.9"}),
        ("waveforms", "cnn", BANK, {"waveform_augment.cells": "none"}),
        (
            "stretch",
            "cnn",
            [*BANK[:1], "waveform_augment.cells=stretch"],
            {"waveform_augment.cells": "none"},
        ),
        ("highest-branch", "emohrnet", ["model.stem_stride=2"], {"model.stem_stride": 4}),
        ("two-branches", "emohrnet", ["model.branches=3"], {"model.branches": 2}),
        ("one-branch", "emohrnet", ["model.branches=3"], {"model.branches": 1}),
        ("exchange", "emohrnet", [], {"model.exchange": False}),
        ("fuse-residual", "emohrnet", [], {"model.fuse_residual": False}),
        (
            "channel-attention",
            "cnn1d_attention",
            ["model.attention=both"],
            {"model.attention": "channel"},
        ),
        (
            "channel-attention",
            "emohrnet",
            ["model.fuse_attention=cbam"],
            {"model.fuse_attention": "se"},
        ),
        ("mfcc", "cnn1d_attention", [], {"model.inputs": "mel"}),
        (
            "spatial-attention",
            "cnn1d_attention",
            ["model.attention=both"],
            {"model.attention": "spatial"},
        ),
        (
            "spatial-attention",
            "emohrnet",
            ["model.fuse_attention=cbam"],
            {"model.fuse_attention": "spatial"},
        ),
        ("frozen", "resnet34", ["training.epochs=7"], {"model.freeze_epochs": 7}),
        ("validation-balanced", "cnn", [], {"training.validation_mix": "balanced"}),
        (
            "validation-reversed",
            "emohrnet",
            ["training.validation_mix=balanced"],
            {"training.validation_mix": "reversed"},
        ),
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
        ("grf", "mfhca", ["model.modality=ssl"]),
        ("cooperative-attention", "mfhca", ["model.modality=mel"]),
        ("mel-only", "mfhca", ["model.modality=ssl"]),
        ("ssl-only", "cnn", []),
        ("resolution-32", "svm", ["model.inputs=mel"]),
        ("resolution-32", "emohrnet", SMALLEST),
        ("augmentation", "svm", []),
        ("masks", "svm", []),
        ("mixup", "cnn", ["training.mixup_alpha=0"]),
        ("noise", "cnn", ["waveform_augment.bank=[]", "waveform_augment.cells=none"]),
        ("noise", "cnn", [*BANK, "waveform_augment.probability=0"]),
        ("pitch", "cnn", [*BANK[:1], "waveform_augment.cells=noise+stretch"]),
        ("highest-branch", "cnn", []),
        ("highest-branch", "emohrnet", ["model.stem_stride=4"]),
        ("two-branches", "emohrnet", ["model.branches=2"]),
        ("channel-attention", "cnn1d_attention", ["model.attention=channel"]),
        ("spatial-attention", "emohrnet", ["model.fuse_attention=se"]),
        ("exchange", "emohrnet", ["model.exchange=false"]),
        ("one-branch", "cnn", []),
        ("mfcc", "cnn", []),
        ("mfcc", "cnn1d_attention", ["model.inputs=mel"]),
        ("frozen", "cnn", []),
        ("frozen", "resnet34", ["model.pretrained=false"]),
        ("frozen", "resnet34", ["training.epochs=7", "model.freeze_epochs=7"]),
        ("resolution-128", "emohrnet", SMALLEST),
        ("validation-balanced", "svm", []),
        ("validation-balanced", "cnn", ["training.validation_mix=balanced"]),
        (
            "validation-reversed",
            "cnn",
            ["training.task=dimensions", "training.class_weight=none", NO_SMOOTHING],
        ),
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


def test_mfcc_gives_way_to_the_spectrogram():
    found = fields("svm", "model.inputs=mfcc")
    assert CHANGES["mfcc"](found) == {"model.inputs": "mel"}
    both = fields("svm", "model.inputs=mfcc+mel")
    assert CHANGES["mfcc"](both) == {"model.inputs": "mel"}


@pytest.mark.parametrize("size", [64, 128])
def test_resolutions_are_square(size):
    spec = SearchSpec.load("cnn", ["training.clip_s=2", "features.mel.hop_ms=5"])
    config = spec.base.replace(CHANGES[f"resolution-{size}"](spec.base.fields()))
    assert config.features["mel"].n_mels == size
    assert round(2000 / config.features["mel"].hop_ms) == size


def test_no_shipped_system_gets_settings_that_it_refuses():
    for space in ("emohrnet", "resnet34", "mfhca", "cnn1d_attention", "lstm", "cnn", "svm", "ssl"):
        base = SearchSpec.load(space).base
        for name, changes in CHANGES.items():
            if not isinstance(found := changes(base.fields()), str):
                changed = base.replace(found)
                assert changed != base, (space, name)
                assert {k: changed.fields()[k] for k in found} == found


def test_an_unknown_ablation_is_refused_with_the_nearest_name():
    check_names(list(CHANGES))
    with pytest.raises(UserError, match="did you mean 'attention'"):
        check_names(["grf", "atention"])


def test_a_bar_stays_inside_its_cell():
    assert markdown_table(["a", "b"], [["1|2", "3"]])[-1] == r"| 1\|2 | 3 |"
