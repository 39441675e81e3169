"""Reads one audio file that nobody vouches for as a mono float32 waveform."""

from pathlib import Path

import numpy as np
import soundfile
import soxr

from raysearch.corpora.header import HeaderError, read_header
from raysearch.errors import DataError

__all__ = ["AudioError", "read_audio", "resample"]


# The largest sample of a float file that was written without scaling, full scale being 1: 32 bits.
MAX_SAMPLE = 2.0**32
# 1 GiB of float32 once decoded: a FLAC's header bounds its bytes far less than its samples.
MAX_SAMPLES = 1 << 28


class AudioError(DataError):
    """One file's audio cannot be used; ``reason`` says why in a few words."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type["AudioError"], tuple[str, str]]:
        """Rebuilt from both arguments when it crosses a process."""
        return AudioError, (self.path, self.reason)


def read_audio(path: str | Path, sample_rate: int) -> np.ndarray:
    """The file's channels averaged, at ``sample_rate`` Hz, as float32 of shape (N,), N >= 1.

    The header's bounds on format, bytes, frames and channels are checked before any sample is
    decoded. Silence is kept: CREMA-D has one silent utterance, which still has a label.

    Raises:
        AudioError: refused header, undecodable, empty, or samples that are not finite or absurd.
    """
    name = str(path)
    try:
        header = read_header(path)
    except HeaderError as error:
        raise AudioError(name, str(error)) from error
    if header.num_frames * header.num_channels > MAX_SAMPLES:
        raise AudioError(name, f"more than {MAX_SAMPLES} samples over all channels")
    try:
        # By its descriptor: a name such as x.raw would decide the format.
        with open(path, "rb") as file:
            samples_NC, rate = soundfile.read(
                file.fileno(), dtype="float32", always_2d=True, closefd=False
            )
    except (soundfile.SoundFileError, OSError, ValueError) as error:
        raise AudioError(name, f"cannot be decoded ({type(error).__name__})") from error
    if samples_NC.shape[0] == 0:
        raise AudioError(name, "no samples")
    if not np.isfinite(samples_NC).all():
        raise AudioError(name, "NaN or infinite samples")
    if (peak := float(np.abs(samples_NC).max())) > MAX_SAMPLE:
        raise AudioError(name, f"samples of up to {peak:.0e}, where full scale is 1")
    mono_N = samples_NC.mean(axis=1, dtype=np.float32)
    waveform_N = resample(mono_N, int(rate), sample_rate)
    if waveform_N.size == 0:
        raise AudioError(name, f"shorter than one sample at {sample_rate} Hz")
    return waveform_N


def resample(waveform_N: np.ndarray, rate: int, target: int) -> np.ndarray:
    """``waveform_N`` from ``rate`` to ``target`` Hz by soxr's high-quality filter (float32)."""
    if rate == target:
        return np.ascontiguousarray(waveform_N, dtype=np.float32)
    resampled = soxr.resample(waveform_N, rate, target, quality="HQ")
    return np.ascontiguousarray(resampled, dtype=np.float32)
