"""Prosody: an utterance's functionals, or pitch, voicing and energy frame by frame.

Pitch and voicing are pYIN's (Mauch and Dixon 2014, ICASSP, as librosa implements it): about 0.05 s
of a core for a 2 s utterance at a 20 ms hop. Energy is the frame's root mean square in decibels.

Axis letters: N samples, T frames, W window samples, F values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from raysearch.features.compiled_librosa import load_pyin
from raysearch.features.curve_statistics import PROSODY_FUNCTIONALS, prosody_functionals
from raysearch.features.derivatives import with_deltas
from raysearch.features.extractor import Extractor, FeatureConfig, StreamKind

__all__ = ["Curves", "PitchConfig", "Prosody", "ProsodyConfig", "pitch_curves"]

REFERENCE_HZ = 100.0
FLOOR_DB = -100.0


class PitchConfig(FeatureConfig):
    """The range in which pitch is looked for."""

    hop_ms: float = Field(20.0, ge=5, le=100, description="Step between frames, milliseconds.")
    window_ms: float = Field(64.0, ge=20, le=200, description="Window, milliseconds.")
    f_min: float = Field(60.0, ge=30, le=400, description="Lowest pitch, Hz.")
    f_max: float = Field(600.0, ge=100, le=2000, description="Highest pitch, Hz.")

    @model_validator(mode="after")
    def _check(self) -> "PitchConfig":
        if self.f_min >= self.f_max:
            raise ValueError(f"f_min {self.f_min:g} is not below f_max {self.f_max:g}")
        # pYIN compares half a window with the other half, and needs two periods in it.
        if self.window_ms * self.f_min < 2000:
            raise ValueError(
                f"window_ms {self.window_ms:g} is shorter than two periods of f_min {self.f_min:g}"
                f" Hz: raise it to {2000 / self.f_min:.0f} or more"
            )
        return self

    @property
    def hop_samples(self) -> int:
        """The step between frames in samples."""
        return round(self.sample_rate * self.hop_ms / 1000)

    @property
    def window_samples(self) -> int:
        """The window in samples; even, as pYIN halves it."""
        return round(self.sample_rate * self.window_ms / 1000) // 2 * 2


class ProsodyConfig(PitchConfig):
    """Where pitch is looked for, and in which form it is given."""

    extractor: Literal["prosody"] = Field("prosody", description="The prosody extractor.")
    per: Literal["utterance", "frame"] = Field(
        "utterance", description="Statistics over voiced frames, or curves with their derivatives."
    )


class Prosody(Extractor):
    """One row of ``PROSODY_FUNCTIONALS``, or six curves.

    With ``per: frame`` pitch in semitones above 100 Hz (0 where unvoiced), the probability of
    voice (0 where unvoiced), energy, and their derivatives. Whoever takes statistics of that
    counts unvoiced frames as 100 Hz: hence the rows, whose pitch is that of voiced frames.
    """

    Config: ClassVar[type[ProsodyConfig]] = ProsodyConfig
    config: ProsodyConfig

    def __init__(self, config: ProsodyConfig) -> None:
        self.config = config
        self.floor = 0.0
        whole = config.per == "utterance"
        self.kind: StreamKind = "vector" if whole else "frames"
        self.num_bins = len(PROSODY_FUNCTIONALS) if whole else 6
        self.frames_per_second = 0.0 if whole else config.sample_rate / config.hop_samples

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Mono float32 waveforms (N,) at the config's rate to float32 (1, F), or (T, F)."""
        return [self._one(waveform_N) for waveform_N in waveforms]

    def _one(self, waveform_N: np.ndarray) -> np.ndarray:
        curves = pitch_curves(waveform_N, self.config)
        if self.config.per == "utterance":
            return curves.functionals()[None]
        curves_TF = np.stack([curves.pitch_T, curves.voice_T, curves.energy_T], axis=1)
        return with_deltas(curves_TF, 1)


@dataclass(frozen=True, slots=True)
class Curves:
    """Pitch, voicing and energy of every frame.

    Attributes:
        pitch_T: semitones above 100 Hz, 0 where unvoiced.
        voice_T: probability of voice, 0 where unvoiced.
        voiced_T: whether the frame is voiced.
        energy_T: decibels of full scale, at least ``FLOOR_DB``.
        frames_TW: the samples, without a window.
        hop_s: seconds from frame to frame.
    """

    pitch_T: np.ndarray
    voice_T: np.ndarray
    voiced_T: np.ndarray
    energy_T: np.ndarray
    frames_TW: np.ndarray
    hop_s: float

    def functionals(self) -> np.ndarray:
        """The values of ``PROSODY_FUNCTIONALS``, float32."""
        return prosody_functionals(self.pitch_T, self.voiced_T, self.energy_T, self.hop_s)


def pitch_curves(waveform_N: np.ndarray, config: PitchConfig) -> Curves:
    """The curves of a waveform at the config's rate; a short one is padded to one frame."""
    hop, window = config.hop_samples, config.window_samples
    x_N = np.pad(waveform_N, (0, max(0, window - len(waveform_N))))
    hz_T, voiced_T, share_T = load_pyin()(
        x_N,
        sr=config.sample_rate,
        fmin=config.f_min,
        fmax=config.f_max,
        frame_length=window,
        hop_length=hop,
        center=False,
    )
    frames_TW = np.lib.stride_tricks.sliding_window_view(x_N, window)[::hop][: len(hz_T)]
    power_T = np.mean(np.square(frames_TW, dtype=np.float64), axis=1)
    semitones_T = 12 * np.log2(np.nan_to_num(hz_T, nan=1.0) / REFERENCE_HZ)
    return Curves(
        pitch_T=np.where(voiced_T, semitones_T, 0.0),
        voice_T=np.where(voiced_T, share_T, 0.0),
        voiced_T=voiced_T,
        energy_T=10 * np.log10(np.maximum(power_T, 10 ** (FLOOR_DB / 10))),
        frames_TW=frames_TW,
        hop_s=hop / config.sample_rate,
    )
