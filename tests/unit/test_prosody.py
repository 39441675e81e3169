"""Prosody against known pitch, and its functionals against curves written by hand."""

# Axis letters name tensor shapes.

import numpy as np
import pytest

from raysearch.errors import ConfigError
from raysearch.features.curve_statistics import PROSODY_FUNCTIONALS, prosody_functionals
from raysearch.features.extractor_table import feature_config
from raysearch.features.prosody import Prosody, ProsodyConfig

FRAMES = ProsodyConfig(per="frame")
QUIET = np.zeros(8000, np.float32)


def buzz(hz, seconds=1.0):
    return (0.3 * np.sign(np.sin(2 * np.pi * hz * np.arange(16000 * seconds) / 16000))).astype("f4")


def functionals(waveform_N):
    (row,) = Prosody(ProsodyConfig())([waveform_N])
    return dict(zip(PROSODY_FUNCTIONALS, row[0].tolist(), strict=True))


def named(pitch_T, voiced_T, energy_T, hop_s=0.1):
    arrays = (np.array(pitch_T, float), np.array(voiced_T, bool), np.array(energy_T, float))
    values = prosody_functionals(*arrays, hop_s)
    return dict(zip(PROSODY_FUNCTIONALS, values.tolist(), strict=True))


@pytest.mark.parametrize("hz", [80.0, 150.0, 300.0, 500.0])
def test_pitch_is_within_two_percent(hz):
    (values,) = Prosody(FRAMES)([buzz(hz)])
    found_T = 100 * 2 ** (values[3:-3, 0] / 12)
    assert np.median(found_T) == pytest.approx(hz, rel=0.02)
    assert (values[3:-3, 1] > 0).all()


def test_silence_is_unvoiced_and_quiet():
    (values,) = Prosody(FRAMES)([np.zeros(16000, np.float32)])
    assert not values[:, :2].any()
    np.testing.assert_allclose(values[:, 2], -100)


def test_silence_has_no_pitch_and_one_unvoiced_stretch():
    found = functionals(np.zeros(16000, np.float32))
    assert found["unvoiced_seconds_mean"] == pytest.approx(1, abs=0.1)
    assert not any(value for name, value in found.items() if name != "unvoiced_seconds_mean")


def test_pauses_change_neither_pitch_nor_energy():
    found = functionals(np.concatenate([QUIET, buzz(200.0), QUIET]))
    assert found["pitch_mean"] == pytest.approx(12, abs=0.4)
    assert found["pitch_range"] < 1.5
    assert found["energy_p50"] == pytest.approx(20 * np.log10(0.3), abs=0.5)
    assert found["energy_voiced_minus_rest"] > 50
    assert found["voiced_share"] == pytest.approx(0.5, abs=0.08)
    assert found["voiced_segments_per_second"] == pytest.approx(0.5, abs=0.1)
    assert found["voiced_seconds_mean"] == pytest.approx(1, abs=0.1)
    assert found["unvoiced_seconds_mean"] == pytest.approx(0.5, abs=0.1)


def test_statistics_read_voiced_frames_only():
    pitch_T, voiced_T, energy_T = [0, 2, 4, 3, 0, 0, 7, 0], [0, 1, 1, 1, 0, 0, 1, 0], [-9.0] * 8
    found = named(pitch_T, voiced_T, energy_T)
    assert found["pitch_mean"] == 4
    assert found["pitch_std"] == pytest.approx(np.std([2, 4, 3, 7]))
    assert found["pitch_p50"] == 3.5
    # 2 to 4 rises and 4 to 3 falls; 3 to 7 lies on both sides of a gap.
    assert found["pitch_rise"] == pytest.approx(20)
    assert found["pitch_fall"] == pytest.approx(-10)
    assert found["voiced_segments_per_second"] == pytest.approx(2 / 0.8)
    assert found["voiced_seconds_mean"] == pytest.approx(0.2)
    assert found["unvoiced_seconds_mean"] == pytest.approx(0.4 / 3)
    other = named([99, 2, 4, 3, 99, 99, 7, -99], voiced_T, energy_T)
    assert other == found


def test_a_straight_line_has_its_slope():
    found = named(np.arange(10) * 0.5, [1] * 10, -np.arange(10.0))
    assert found["pitch_slope"] == pytest.approx(5)
    assert found["energy_slope"] == pytest.approx(-10)
    assert found["pitch_range"] == pytest.approx(4.5 * 0.6)
    assert found["energy_rise"] == 0
    assert found["unvoiced_seconds_mean"] == found["energy_voiced_minus_rest"] == 0


def test_a_window_too_short_for_pitch_is_refused():
    with pytest.raises(ConfigError, match="shorter than two periods"):
        feature_config({"extractor": "prosody", "window_ms": 20.0})
    with pytest.raises(ConfigError, match="f_min 300 is not below f_max 200"):
        feature_config({"extractor": "prosody", "f_min": 300, "f_max": 200})
