"""Log-mel frames: how many, of what, and which settings are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from raysearch.config.base import Places
from raysearch.errors import ConfigError, UnknownNameError
from raysearch.features.extractor_table import build_extractor, feature_config
from raysearch.features.log_mel import LogMel, LogMelConfig
from raysearch.features.mfcc import Mfcc, MfccConfig


@given(num_samples=st.integers(1, 4000))
def test_number_of_frames(num_samples):
    (values,) = LogMel(LogMelConfig(n_mels=8))([np.ones(num_samples, np.float32)])
    assert values.shape == (max(1, 1 + (num_samples - 400) // 160), 8)


@given(frame=st.integers(0, 17))
def test_a_frame_depends_on_its_own_samples_only(frame):
    rng = np.random.default_rng(0)
    extractor = LogMel(LogMelConfig(n_mels=40))
    plain = rng.standard_normal(3200).astype(np.float32)
    changed = rng.standard_normal(3200).astype(np.float32)
    span = slice(frame * 160, frame * 160 + 400)
    changed[span] = plain[span]
    first, second = extractor([plain, changed])
    np.testing.assert_array_equal(first[frame], second[frame])


def test_silence_is_the_floor():
    extractor = LogMel(LogMelConfig())
    (values,) = extractor([np.zeros(4000, np.float32)])
    assert np.all(values == np.float32(extractor.floor))


def test_a_tone_peaks_where_slaneys_scale_puts_it():
    seconds = np.arange(16000) / 16000
    tone = np.sin(2 * np.pi * 500 * seconds).astype(np.float32)
    (values,) = LogMel(LogMelConfig(n_mels=40))([tone])
    # Below 1 kHz a mel is 200/3 Hz; 8 kHz is 45.2 mel, so filter i is centred at (i+1)*45.2/41.
    assert set(np.argmax(values, axis=1)) == {round(7.5 / (45.245 / 41)) - 1}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"f_max": 9000}, "f_max 9000 exceeds half of sample_rate 16000"),
        ({"f_min": 4000, "f_max": 4000}, "f_min 4000 is not below f_max 4000"),
        ({"hop_ms": 30}, "hop_ms 30 exceeds window_ms 25"),
        ({"n_mels": 256, "window_ms": 8, "hop_ms": 4}, "mel filters without any"),
        ({"n_mel": 40}, "did you mean 'n_mels'"),
        ({"n_mels": 4}, "features.mel.n_mels"),
    ],
)
def test_wrong_settings_name_what_is_wrong(settings, message):
    places = Places("space.yaml")
    with pytest.raises(ConfigError, match=message):
        feature_config({"extractor": "log_mel", **settings}, prefix="features.mel", places=places)


@given(
    n_mels=st.integers(8, 256),
    window_ms=st.sampled_from([8.0, 16.0, 20.0, 25.0, 32.0, 64.0]),
    f_min=st.sampled_from([0.0, 50.0, 300.0]),
)
def test_every_accepted_config_has_no_empty_filter(n_mels, window_ms, f_min):
    settings = {"n_mels": n_mels, "window_ms": window_ms, "hop_ms": 5.0, "f_min": f_min}
    try:
        config = feature_config({"extractor": "log_mel", **settings})
    except ConfigError:
        return
    noise = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    extractor = build_extractor(config)
    # An empty filter would sit at the floor whatever the sound; torchaudio warns of one, too.
    assert (extractor([noise])[0] > extractor.floor).all()


def test_unknown_extractor_and_missing_name():
    with pytest.raises(UnknownNameError, match="did you mean 'log_mel'"):
        feature_config({"extractor": "logmel"})
    with pytest.raises(ConfigError, match=r"'features\.mel\.extractor' is missing"):
        feature_config({}, prefix="features.mel")


def test_pre_emphasis_is_a_filter_over_the_whole_waveform():
    waveform_N = np.random.default_rng(0).standard_normal(3200).astype(np.float32)
    (found,) = LogMel(LogMelConfig(pre_emphasis=0.97))([waveform_N])
    filtered_N = lfilter([1, -0.97], [1], waveform_N).astype(np.float32)
    (expected,) = LogMel(LogMelConfig())([filtered_N])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    coefficients = Mfcc(MfccConfig(pre_emphasis=0.97))([waveform_N])
    np.testing.assert_allclose(coefficients, Mfcc(MfccConfig())([filtered_N]), atol=1e-2)


def test_what_is_off_is_no_part_of_the_identity():
    """So that features stored before the field existed are found again."""
    plain = LogMelConfig().identity()
    assert set(LogMelConfig.model_fields) - set(plain) == set(LogMelConfig.NEUTRAL)
    assert LogMelConfig(pre_emphasis=0.97).identity() == {**plain, "pre_emphasis": 0.97}
    assert "pre_emphasis" not in MfccConfig().identity()
    assert MfccConfig(pre_emphasis=0.9).identity()["pre_emphasis"] == 0.9
