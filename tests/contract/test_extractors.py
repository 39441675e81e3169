"""What holds for every extractor of the table, and log-mel against librosa."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from raysearch.errors import ConfigError, UserError
from raysearch.features.compiled_librosa import load_librosa
from raysearch.features.extractor import Extractor
from raysearch.features.extractor_table import EXTRACTORS, build_extractor, feature_config
from raysearch.features.log_mel import LogMel, LogMelConfig
from raysearch.features.mfcc import Mfcc, MfccConfig

librosa = load_librosa()

OWN = "own_extractor:Loudness"
CONFIGS = [
    *({"extractor": name} for name in EXTRACTORS.names() if name != "ssl"),
    {"extractor": "mfcc", "deltas": 2},
    {"extractor": "prosody", "per": "frame"},
    {"extractor": "functionals", "groups": "shape"},
    {"extractor": "functionals", "groups": "voice"},
    {"extractor": OWN},
]


@pytest.fixture(autouse=True)
def own_module(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture(params=CONFIGS, ids=lambda data: "-".join(str(v) for v in data.values()))
def extractor(request):
    config = feature_config(request.param)
    try:
        config.check_external_files()
    except UserError as error:
        pytest.skip(str(error))
    return build_extractor(config)


def noise(num_samples, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, num_samples).astype(np.float32)


def test_shapes_and_kinds(extractor):
    assert isinstance(extractor, Extractor)
    rate = extractor.config.sample_rate
    values = extractor([noise(rate), noise(3 * rate), noise(5)])
    for item in values:
        assert item.dtype == np.float32
        assert item.ndim == 2
        assert item.shape[0] >= 1
        assert item.shape[1] == extractor.num_bins
        assert np.isfinite(item).all()
        if extractor.kind == "spectrogram":
            assert (item >= np.float32(extractor.floor)).all()
    if extractor.kind == "vector":
        assert {item.shape[0] for item in values} == {1}
    shape = extractor.shape(2.0)
    assert (shape.num_bins, shape.kind) == (extractor.num_bins, extractor.kind)
    assert shape.num_frames == max(1, round(2 * extractor.frames_per_second))
    per_second = (values[1].shape[0] - values[0].shape[0]) / 2
    assert per_second == pytest.approx(extractor.frames_per_second, rel=0.01)


def test_a_row_does_not_depend_on_its_batch(extractor):
    waveforms = [noise(n, seed=n) for n in (3, 399, 401, 7000, 16001)]
    together = extractor(waveforms)
    for waveform, expected in zip(waveforms, together, strict=True):
        np.testing.assert_array_equal(extractor([waveform])[0], expected)
    reversed_ = extractor(waveforms[::-1])[::-1]
    for first, second in zip(together, reversed_, strict=True):
        np.testing.assert_array_equal(first, second)


def test_nothing_in_gives_nothing_out(extractor):
    assert extractor([]) == []


@pytest.mark.parametrize("name", [n for n in EXTRACTORS.names() if n != "ssl"])
def test_reading_a_config_does_not_import_torch(name):
    code = (
        "import sys;"
        "from raysearch.features.extractor_table import feature_config, build_extractor;"
        f"build_extractor(feature_config({{'extractor': {name!r}}}));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "settings",
    [
        {"window_ms": 32.0, "n_mels": 64},
        {"window_ms": 25.0, "n_mels": 40, "f_min": 60.0, "f_max": 7600.0},
        {"window_ms": 25.0, "sample_rate": 22050, "n_mels": 128, "hop_ms": 20.0},
    ],
)
def test_log_mel_is_librosas(settings):
    """Slaney's scale and norm, power, no centring: equal to within 1e-3 of a neper."""
    config = LogMelConfig(**settings)
    waveform = noise(2 * config.sample_rate)
    (values,) = LogMel(config)([waveform])
    # librosa centres a short window in the FFT frame; ours begins it.
    shift = (config.n_fft - config.window_samples) // 2
    padded = np.concatenate([np.zeros(shift, np.float32), waveform, np.zeros(config.n_fft)])
    power = librosa.feature.melspectrogram(
        y=padded.astype(np.float32),
        sr=config.sample_rate,
        n_fft=config.n_fft,
        win_length=config.window_samples,
        hop_length=config.hop_samples,
        center=False,
        n_mels=config.n_mels,
        fmin=config.f_min,
        fmax=config.high_hz,
    )
    expected = np.log(np.maximum(power, 1e-10)).T[: len(values)]
    np.testing.assert_allclose(values, expected, atol=1e-3)


def test_mfcc_and_its_deltas_are_librosas():
    """Power in decibels, orthonormal DCT-II, Savitzky-Golay deltas: equal to within 1e-3."""
    config = MfccConfig(window_ms=32.0, n_mfcc=20, deltas=2)
    waveform = noise(32000)
    (values,) = Mfcc(config)([waveform])
    power = librosa.feature.melspectrogram(
        y=waveform, sr=16000, n_fft=512, hop_length=160, center=False, n_mels=config.n_mels
    )
    decibels = librosa.power_to_db(power, top_db=None)
    expected = librosa.feature.mfcc(S=decibels, n_mfcc=20)
    parts = [expected, *(librosa.feature.delta(expected, order=order) for order in (1, 2))]
    np.testing.assert_allclose(values, np.concatenate(parts).T, atol=1e-3)


def test_mfcc_refuses_what_cannot_be():
    with pytest.raises(ConfigError, match="n_mfcc 40 exceeds n_mels 30"):
        feature_config({"extractor": "mfcc", "n_mels": 30, "n_mfcc": 40})
    with pytest.raises(ConfigError, match="without any of the 256-point FFT"):
        feature_config({"extractor": "mfcc", "n_mels": 128, "window_ms": 10.0})
