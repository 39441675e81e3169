"""MFCC deltas, short clips, and what changes a coefficient; librosa's own in the contract tests."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from raysearch.config.base import build
from raysearch.errors import ConfigError
from raysearch.features.compiled_librosa import load_librosa
from raysearch.features.derivatives import DELTA_WIDTH, deltas
from raysearch.features.mfcc import Mfcc, MfccConfig

librosa = load_librosa()

FRAMES = arrays(np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.floats(-99, 99))


def noise(num_samples, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, num_samples).astype(np.float32)


@given(x=FRAMES, order=st.sampled_from([1, 2]))
@settings(deadline=None)
def test_deltas_are_librosas(x, order):
    """Width 9: ``interp`` at the ends, or ``nearest`` where a clip is shorter than the filter."""
    mode = "interp" if len(x) >= DELTA_WIDTH else "nearest"
    expected = librosa.feature.delta(x.T, width=DELTA_WIDTH, order=order, mode=mode).T
    np.testing.assert_allclose(deltas(x, order), expected, atol=1e-9)


@given(slope=st.floats(-5, 5), start=st.floats(-50, 50))
def test_a_line_has_a_constant_slope_and_no_curvature(slope, start):
    line = start + slope * np.arange(20.0)[:, None]
    np.testing.assert_allclose(deltas(line, 1), slope, atol=1e-9)
    np.testing.assert_allclose(deltas(line, 2), 0, atol=1e-9)


@pytest.mark.parametrize("num_samples", [1, 400, 1680, 1681])
def test_clips_shorter_than_the_delta_filter(num_samples):
    (values,) = Mfcc(MfccConfig(deltas=2))([noise(num_samples)])
    assert values.shape == (max(1, 1 + (num_samples - 400) // 160), 60)
    assert np.isfinite(values).all()
    if len(values) == 1:
        np.testing.assert_allclose(values[:, 20:], 0, atol=1e-4)


def test_loudness_moves_only_the_first_coefficient():
    """The DCT is orthonormal: 20 dB on 64 mel bins are 20 * sqrt(64) in the first coefficient."""
    loud, soft = Mfcc(MfccConfig(n_mels=64))([noise(8000), 0.1 * noise(8000)])
    np.testing.assert_allclose(loud[:, 0] - soft[:, 0], 20 * 8, atol=0.01)
    np.testing.assert_allclose(loud[:, 1:], soft[:, 1:], atol=0.01)


def test_the_first_bins_do_not_depend_on_the_deltas():
    plain, full = (Mfcc(MfccConfig(deltas=n))([noise(8000)])[0] for n in (0, 2))
    np.testing.assert_array_equal(full[:, :20], plain)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"n_mfcc": 41, "n_mels": 40}, "n_mfcc 41 exceeds n_mels 40"),
        ({"deltas": 3}, "deltas"),
        ({"f_max": 9000.0}, "f_max 9000 exceeds half of sample_rate 16000"),
        ({"hop_ms": 30.0}, "hop_ms 30 exceeds window_ms 25"),
    ],
)
def test_wrong_settings_are_refused(section, message):
    with pytest.raises(ConfigError, match=message):
        build(MfccConfig, section, prefix="features.mfcc")
