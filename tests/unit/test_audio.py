"""Reading audio that nobody vouches for."""

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from raysearch.features.audio import AudioError, read_audio, resample


def write(path, samples, rate=16000, subtype="FLOAT"):
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def test_channels_are_averaged(tmp_path):
    left, right = np.full(800, 0.5, np.float32), np.full(800, -0.25, np.float32)
    path = write(tmp_path / "a.wav", np.stack([left, right], axis=1))
    waveform = read_audio(path, 16000)
    assert waveform.dtype == np.float32
    np.testing.assert_allclose(waveform, 0.125, atol=1e-7)


def test_a_tone_keeps_its_frequency_through_resampling(tmp_path):
    seconds = np.arange(48000) / 48000
    path = write(tmp_path / "a.flac", 0.5 * np.sin(2 * np.pi * 1000 * seconds), 48000, "PCM_16")
    waveform = read_audio(path, 16000)
    assert len(waveform) == 16000
    assert np.argmax(np.abs(np.fft.rfft(waveform))) == 1000


@given(
    num_samples=st.integers(200, 5000),
    rates=st.tuples(*[st.sampled_from([8000, 16000, 22050, 24414, 44100, 48000])] * 2),
)
def test_resampled_length_follows_the_rates(num_samples, rates):
    rate, target = rates
    resampled = resample(np.ones(num_samples, np.float32), rate, target)
    assert abs(len(resampled) - num_samples * target / rate) <= 1
    assert resampled.dtype == np.float32


def test_silence_is_kept(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(1600))
    assert not read_audio(path, 16000).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_is_refused(tmp_path, bad):
    samples = np.zeros(1600, np.float32)
    samples[7] = bad
    with pytest.raises(AudioError, match="NaN or infinite") as caught:
        read_audio(write(tmp_path / "a.wav", samples), 16000)
    assert caught.value.reason == "NaN or infinite samples"


def test_empty_and_foreign_files_are_refused(tmp_path):
    with pytest.raises(AudioError, match="no samples"):
        read_audio(write(tmp_path / "none.wav", np.zeros(0)), 16000)
    for name, content in {"empty.wav": b"", "text.wav": b"not audio at all" * 99}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(AudioError, match=name):
            read_audio(tmp_path / name, 16000)
    with pytest.raises(AudioError):
        read_audio(tmp_path / "absent.wav", 16000)


def test_a_damaged_flac_is_refused_not_half_read(tmp_path):
    rng = np.random.default_rng(0)
    path = write(tmp_path / "a.flac", rng.uniform(-1, 1, 32000), subtype="PCM_16")
    content = bytearray(path.read_bytes())
    content[8000:12000] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(AudioError):
        read_audio(path, 16000)
