"""The groups of functionals: what is in them, against librosa and against known voices."""

# Axis letters name tensor shapes.

import importlib.util

import numpy as np
import pytest

from raysearch.errors import ConfigError, UserError
from raysearch.features import voice_quality
from raysearch.features.compiled_librosa import load_librosa
from raysearch.features.extractor_table import build_extractor, feature_config
from raysearch.features.functionals import Functionals, FunctionalsConfig
from raysearch.features.mfcc import Mfcc, MfccConfig
from raysearch.features.prosody import Prosody, ProsodyConfig

librosa = load_librosa()

RATE = 16000
INSTALLED = importlib.util.find_spec("parselmouth") is not None
needs_praat = pytest.mark.skipif(not INSTALLED, reason="praat-parselmouth is not installed")


def voice(num_harmonics=50, tilt_db=6.0, jitter=0.0, shimmer=0.0, noise=0.0, seconds=1.0, hz=150.0):
    """A periodic voice, some periods longer, louder or noisier than others."""
    rng = np.random.default_rng(0)
    periods = 1 / hz * (1 + jitter * rng.uniform(-1, 1, int(seconds * hz * 1.2)))
    gains = 1 + shimmer * rng.uniform(-1, 1, len(periods))
    starts = np.concatenate([[0], np.cumsum(periods)])
    time_N = np.arange(round(RATE * seconds)) / RATE
    number_N = np.searchsorted(starts, time_N, side="right") - 1
    phase_N = (time_N - starts[number_N]) / periods[number_N]
    order_H1 = np.arange(1, num_harmonics + 1)[:, None]
    waves_HN = np.sin(2 * np.pi * order_H1 * phase_N) * 10 ** (-tilt_db * np.log2(order_H1) / 20)
    x_N = gains[number_N] * waves_HN.sum(axis=0) + noise * rng.normal(size=len(time_N))
    return (0.1 * x_N).astype(np.float32)


def named(waveform_N, groups):
    extractor = Functionals(FunctionalsConfig(groups=groups))
    (row,) = extractor([waveform_N])
    assert row.shape == (1, extractor.num_bins)
    return dict(zip(extractor.names, row[0].tolist(), strict=True))


def test_the_groups_stand_side_by_side_in_one_order():
    config = feature_config({"extractor": "functionals", "groups": "shape+mfcc+prosody"})
    assert config.groups == "mfcc+prosody+shape"
    (row,) = build_extractor(config)([voice()])
    (mfcc_TF,) = Mfcc(MfccConfig(deltas=2))([voice()])
    np.testing.assert_array_equal(row[0, :60], mfcc_TF.mean(axis=0))
    np.testing.assert_array_equal(row[0, 60:120], mfcc_TF.std(axis=0))
    (prosody,) = Prosody(ProsodyConfig())([voice()])
    np.testing.assert_array_equal(row[0, 120 : 120 + prosody.size], prosody[0])
    assert build_extractor(config).names[:1] == ("mfcc_0_mean",)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("mfcc+prosdy", r"'prosdy' is no group \(did you mean 'prosody'\?\)"),
        ("mfcc+mfcc", "a group is named twice"),
        ("", "'' is no group"),
    ],
)
def test_other_groups_are_refused(groups, message):
    with pytest.raises(ConfigError, match=message):
        feature_config({"extractor": "functionals", "groups": groups})


def test_coefficients_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="n_mfcc 40 exceeds n_mels 30"):
        feature_config({"extractor": "functionals", "n_mels": 30, "n_mfcc": 40})


def test_a_brighter_voice_has_a_brighter_shape_whatever_its_loudness():
    dull, bright = named(voice(tilt_db=12), "shape"), named(voice(tilt_db=3), "shape")
    for name in ("centroid", "bandwidth", "rolloff", "band_9"):
        assert bright[f"{name}_mean"] > dull[f"{name}_mean"]
    for name in ("alpha_ratio", "hammarberg"):
        assert bright[f"{name}_mean"] < dull[f"{name}_mean"]
    assert named(0.1 * voice(tilt_db=3), "shape") == pytest.approx(bright, rel=1e-2, abs=1e-2)


def test_the_shape_of_voiced_frames_is_librosas():
    x_N = voice()
    frames_TW = librosa.util.frame(x_N, frame_length=1024, hop_length=320, axis=0)[:, 256:768]
    root_KT = np.abs(np.fft.rfft(frames_TW * np.hanning(512), axis=1)).T
    expected = librosa.feature.spectral_centroid(S=root_KT, sr=RATE).mean()
    assert named(x_N, "shape")["centroid_mean"] == pytest.approx(expected, rel=0.01)


def test_pauses_do_not_change_the_shape():
    padded = np.concatenate([np.zeros(RATE, np.float32), voice(), np.zeros(RATE, np.float32)])
    alone, between = named(voice(), "shape"), named(padded, "shape")
    assert between["centroid_mean"] == pytest.approx(alone["centroid_mean"], rel=0.05)
    assert not any(named(np.zeros(RATE, np.float32), "shape").values())


def test_a_missing_praat_is_named_before_work_starts(monkeypatch):
    monkeypatch.setattr(voice_quality, "find_spec", lambda name: None)
    FunctionalsConfig().check_external_files()
    config = FunctionalsConfig(groups="prosody+voice")
    with pytest.raises(UserError, match=r'pip install "raysearch\[praat\]"'):
        config.check_external_files()
    assert build_extractor(config).num_bins > 30


@needs_praat
def test_a_rough_voice_is_rougher_by_every_measure():
    clean = named(voice(), "voice")
    assert named(voice(jitter=0.03), "voice")["jitter_local"] > 5 * clean["jitter_local"]
    assert named(voice(shimmer=0.2), "voice")["shimmer_local"] > 5 * clean["shimmer_local"]
    assert named(voice(noise=0.5), "voice")["hnr_mean"] < clean["hnr_mean"] - 5


@needs_praat
@pytest.mark.parametrize("num_samples", [1, 160, 1600])
def test_scraps_and_silence_have_finite_voices(num_samples):
    for x_N in (np.zeros(num_samples, np.float32), voice()[:num_samples]):
        assert np.isfinite(list(named(x_N, "voice").values())).all()
