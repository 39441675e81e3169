"""Reads one audio file that nobody vouches for as a mono float32 waveform."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from raysearch.corpora.header import HeaderError, read_header
from raysearch.errors import DataError

__all__ = ["AudioError", "Waveform", "read_audio", "read_waveform", "resample"]


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


@dataclass(frozen=True, eq=False)
class Waveform:
    """One channel of float32 samples (N,), N >= 1, at its own rate; ``name`` is for messages."""

    name: str
    samples: np.ndarray
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return len(self.samples) / self.sample_rate

    @classmethod
    def of(cls, wave: np.ndarray, sample_rate: int, name: str = "the waveform") -> "Waveform":
        """From samples (N,) or (N, channels), floats of full scale 1 or integers of any width.

        Raises:
            AudioError: of another shape or kind, empty, or not finite.
        """
        samples = np.asarray(wave)
        if samples.ndim not in (1, 2):
            raise AudioError(name, f"samples of shape {samples.shape}: (N,) or (N, channels)")
        if sample_rate <= 0:
            raise AudioError(name, f"a sample rate of {sample_rate} Hz")
        if samples.dtype.kind == "i":
            samples = samples / -float(np.iinfo(samples.dtype).min)
        elif samples.dtype.kind != "f":
            raise AudioError(name, f"samples of type {samples.dtype}: floats or signed integers")
        return cls(name, _mono(name, samples.astype(np.float32)), int(sample_rate))

    def at(self, sample_rate: int) -> np.ndarray:
        """Samples (N,) at ``sample_rate`` Hz.

        Raises:
            AudioError: shorter than one sample there.
        """
        waveform_N = resample(self.samples, self.sample_rate, sample_rate)
        if waveform_N.size == 0:
            raise AudioError(self.name, f"shorter than one sample at {sample_rate} Hz")
        return waveform_N


def read_audio(path: str | Path, sample_rate: int) -> np.ndarray:
    """The file's channels averaged, at ``sample_rate`` Hz, as float32 of shape (N,), N >= 1.

    Raises:
        AudioError: as ``read_waveform``, or shorter than one sample at that rate.
    """
    return read_waveform(path).at(sample_rate)


def read_waveform(path: str | Path) -> Waveform:
    """The file's channels averaged, at its own rate.

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
    return Waveform(name, _mono(name, samples_NC), int(rate))


def _mono(name: str, samples: np.ndarray) -> np.ndarray:
    """The mean of the channels of float32 (N,) or (N, C), once the samples are seen to be sane."""
    if samples.shape[0] == 0 or samples.size == 0:
        raise AudioError(name, "no samples")
    if not np.isfinite(samples).all():
        raise AudioError(name, "NaN or infinite samples")
    if (peak := float(np.abs(samples).max())) > MAX_SAMPLE:
        raise AudioError(name, f"samples of up to {peak:.0e}, where full scale is 1")
    if samples.ndim == 1:
        return samples
    mono_N: np.ndarray = samples.mean(axis=1, dtype=np.float32)
    return mono_N


def resample(waveform_N: np.ndarray, rate: int, target: int) -> np.ndarray:
    """``waveform_N`` from ``rate`` to ``target`` Hz by soxr's high-quality filter (float32)."""
    if rate == target:
        return np.ascontiguousarray(waveform_N, dtype=np.float32)
    resampled = soxr.resample(waveform_N, rate, target, quality="HQ")
    return np.ascontiguousarray(resampled, dtype=np.float32)
