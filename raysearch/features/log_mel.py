"""Log-mel spectrograms, the input of EmoHRNet (arXiv 2510.06072) and most image-like models.

Axis letters: N samples, T frames, W window samples, K frequency bins, F mel bins.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from raysearch.features.derivatives import with_deltas
from raysearch.features.extractor import Extractor, FeatureConfig

if TYPE_CHECKING:
    from raysearch.features.log_mel_frames import MelFrames

__all__ = ["LogMel", "LogMelConfig"]

POWER_FLOOR = 1e-10


class LogMelConfig(FeatureConfig):
    """Slaney's mel scale and area normalisation (librosa's defaults), Hann window, power.

    Pre-emphasis, x[n] - a x[n - 1] over the whole waveform with a of 0.97 as a rule, lifts what
    the voice source lacks towards high frequencies.
    """

    extractor: Literal["log_mel"] = Field("log_mel", description="The log-mel extractor.")
    window_ms: float = Field(25.0, ge=4, le=200, description="Analysis window, milliseconds.")
    hop_ms: float = Field(10.0, ge=1, le=200, description="Step between frames, milliseconds.")
    n_mels: int = Field(64, ge=8, le=256, description="Mel bins.")
    f_min: float = Field(0.0, ge=0, description="Lowest frequency, Hz.")
    f_max: float | None = Field(None, gt=0, description="Highest frequency, Hz; null: Nyquist.")
    pre_emphasis: float = Field(
        0.0, ge=0, lt=1, description="Share of the sample before that is subtracted; 0 is off."
    )

    deltas: Literal[0, 1, 2] = Field(
        0, description="Derivatives over time, as further channels beside the spectrogram."
    )

    NEUTRAL: ClassVar[Mapping[str, float]] = {"pre_emphasis": 0.0, "deltas": 0}

    @model_validator(mode="after")
    def _check(self) -> "LogMelConfig":
        if self.hop_ms > self.window_ms:
            raise ValueError(f"hop_ms {self.hop_ms:g} exceeds window_ms {self.window_ms:g}")
        if self.high_hz > self.sample_rate / 2:
            raise ValueError(
                f"f_max {self.high_hz:g} exceeds half of sample_rate {self.sample_rate}"
            )
        if self.f_min >= self.high_hz:
            raise ValueError(f"f_min {self.f_min:g} is not below f_max {self.high_hz:g}")
        if num_empty := _num_empty_filters(self):
            raise ValueError(
                f"n_mels {self.n_mels} leaves {num_empty} mel filters without any of the "
                f"{self.n_fft}-point FFT's frequencies: lower n_mels or raise window_ms"
            )
        return self

    @property
    def high_hz(self) -> float:
        """The highest frequency in Hz, Nyquist unless given."""
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    @property
    def window_samples(self) -> int:
        """W, the window in samples."""
        return round(self.sample_rate * self.window_ms / 1000)

    @property
    def hop_samples(self) -> int:
        """The step between frames in samples."""
        return round(self.sample_rate * self.hop_ms / 1000)

    @property
    def n_fft(self) -> int:
        """The FFT's length: the next power of two that holds a window."""
        return 1 << (self.window_samples - 1).bit_length()


class LogMel(Extractor):
    """Natural log of mel power, at least ``log(1e-10)``; frame t covers [t*hop, t*hop + W).

    With pre-emphasis a frame reads the sample before it, too. Derivatives stand side by side with
    the spectrogram, as channels of the same mel bins.

    Each utterance goes through its own matrix products: one product over a whole batch would let
    the neighbours change the last bit, and then where a row was computed would change a trial.
    """

    Config: ClassVar[type[LogMelConfig]] = LogMelConfig
    config: LogMelConfig

    def __init__(self, config: LogMelConfig) -> None:
        self.config = config
        self.num_channels = 1 + config.deltas
        self.num_bins = self.num_channels * config.n_mels
        self.floor = math.log(POWER_FLOOR)
        self.frames_per_second = config.sample_rate / config.hop_samples

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Mono float32 waveforms (N,) at the config's rate to float32 (T, F).

        T is 1 + (N - W) // hop; a waveform shorter than a window is zero padded to one frame.
        """
        found = [self._frames(waveform_N) for waveform_N in waveforms]
        return [with_deltas(x_TF, self.config.deltas) for x_TF in found]

    @cached_property
    def _frames(self) -> "MelFrames":
        # Here, not above: a config is read in processes that must start without torch.
        from raysearch.features.log_mel_frames import MelFrames

        return MelFrames(self.config)


def _num_empty_filters(config: LogMelConfig) -> int:
    """Triangles, of n_mels, that no FFT frequency falls strictly inside of."""
    mels = np.linspace(_to_mel(config.f_min), _to_mel(config.high_hz), config.n_mels + 2)
    edges_hz = np.array([_to_hz(mel) for mel in mels])
    step_hz = config.sample_rate / config.n_fft
    first_inside = np.floor(edges_hz[:-2] / step_hz + 1e-6) + 1
    return int(np.sum(first_inside * step_hz >= edges_hz[2:] - 1e-6 * step_hz))


def _to_mel(hz: float) -> float:
    """Slaney's scale: linear (200/3 Hz a mel) below 1 kHz, logarithmic above."""
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * math.log(hz / 1000) / math.log(6.4)


def _to_hz(mel: float) -> float:
    return mel * 200 / 3 if mel < 15 else 1000 * math.exp((mel - 15) * math.log(6.4) / 27)
