"""Prosody: pitch, voicing and energy, frame by frame or as an utterance's functionals.

Pitch and voicing are pYIN's (Mauch and Dixon 2014, ICASSP, as librosa implements it): about 0.15 s
a 2 s utterance at a 20 ms hop. Energy is the frame's root mean square in decibels.

Axis letters: N samples, T frames, F values.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from raysearch.features.extractor import Extractor, FeatureConfig, StreamKind
from raysearch.features.mfcc import deltas

__all__ = ["FUNCTIONALS", "Prosody", "ProsodyConfig"]

REFERENCE_HZ = 100.0
FLOOR_DB = -100.0
_CURVE = ("mean", "std", "min", "max", "range", "slope")
FUNCTIONALS = (
    *(f"pitch_{name}" for name in _CURVE),
    *(f"energy_{name}" for name in _CURVE),
    "voiced_share",
    "voiced_segments_per_second",
)


class ProsodyConfig(FeatureConfig):
    """Where pitch is looked for, and in which form it is given."""

    extractor: Literal["prosody"] = Field("prosody", description="The prosody extractor.")
    per: Literal["frame", "utterance"] = Field(
        "frame", description="Curves with their derivatives, or statistics of the curves."
    )
    hop_ms: float = Field(20.0, ge=5, le=100, description="Step between frames, milliseconds.")
    window_ms: float = Field(64.0, ge=20, le=200, description="Window, milliseconds.")
    f_min: float = Field(60.0, ge=30, le=400, description="Lowest pitch, Hz.")
    f_max: float = Field(600.0, ge=100, le=2000, description="Highest pitch, Hz.")

    @model_validator(mode="after")
    def _check(self) -> "ProsodyConfig":
        if self.f_min >= self.f_max:
            raise ValueError(f"f_min {self.f_min:g} is not below f_max {self.f_max:g}")
        # pYIN compares half a window with the other half, and needs two periods in it.
        if self.window_ms * self.f_min < 2000:
            raise ValueError(
                f"window_ms {self.window_ms:g} is shorter than two periods of f_min {self.f_min:g}"
                f" Hz: raise it to {2000 / self.f_min:.0f} or more"
            )
        return self


class Prosody(Extractor):
    """Pitch in semitones above 100 Hz (0 where unvoiced), voicing, energy, and derivatives.

    With ``per: utterance`` one row of ``FUNCTIONALS``: statistics of pitch over voiced frames and
    of energy over all, a curve's slope a second, and how much is voiced.
    """

    Config: ClassVar[type[ProsodyConfig]] = ProsodyConfig
    config: ProsodyConfig

    def __init__(self, config: ProsodyConfig) -> None:
        self.config = config
        self.floor = 0.0
        self._hop = round(config.sample_rate * config.hop_ms / 1000)
        self._window = round(config.sample_rate * config.window_ms / 1000) // 2 * 2
        whole = config.per == "utterance"
        self.kind: StreamKind = "vector" if whole else "frames"
        self.num_bins = len(FUNCTIONALS) if whole else 6
        self.frames_per_second = 0.0 if whole else config.sample_rate / self._hop

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Mono float32 waveforms (N,) at the config's rate to float32 (T, F), or (1, F)."""
        return [self._one(waveform_N) for waveform_N in waveforms]

    def _one(self, waveform_N: np.ndarray) -> np.ndarray:
        pitch_T, voiced_T, energy_T = self._curves(waveform_N)
        if self.config.per == "utterance":
            return self._functionals(pitch_T, voiced_T > 0, energy_T)
        curves_TF = np.stack([pitch_T, voiced_T, energy_T], axis=1)
        return np.concatenate([curves_TF, deltas(curves_TF, 1)], axis=1).astype(np.float32)

    def _curves(self, waveform_N: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Semitones, probability of voice (0 where the track is unvoiced) and decibels, (T,)."""
        import librosa

        missing = max(0, self._window - len(waveform_N))
        x_N = np.pad(waveform_N, (0, missing))
        hz_T, voiced_T, share_T = librosa.pyin(
            x_N,
            sr=self.config.sample_rate,
            fmin=self.config.f_min,
            fmax=self.config.f_max,
            frame_length=self._window,
            hop_length=self._hop,
            center=False,
        )
        pitch_T = np.where(voiced_T, 12 * np.log2(np.nan_to_num(hz_T, nan=1.0) / REFERENCE_HZ), 0.0)
        frames_TW = np.lib.stride_tricks.sliding_window_view(x_N, self._window)[:: self._hop]
        power_T = np.mean(np.square(frames_TW[: len(pitch_T)], dtype=np.float64), axis=1)
        energy_T = 10 * np.log10(np.maximum(power_T, 10 ** (FLOOR_DB / 10)))
        return pitch_T, np.where(voiced_T, share_T, 0.0), energy_T

    def _functionals(
        self, pitch_T: np.ndarray, voiced_T: np.ndarray, energy_T: np.ndarray
    ) -> np.ndarray:
        hop_s = self._hop / self.config.sample_rate
        starts = np.count_nonzero(np.diff(voiced_T.astype(int), prepend=0) == 1)
        values = [
            *_statistics(pitch_T[voiced_T], np.flatnonzero(voiced_T) * hop_s),
            *_statistics(energy_T, np.arange(len(energy_T)) * hop_s),
            voiced_T.mean(),
            starts / (len(voiced_T) * hop_s),
        ]
        return np.array([values], dtype=np.float32)


def _statistics(curve_T: np.ndarray, seconds_T: np.ndarray) -> tuple[float, ...]:
    """Mean, deviation, extremes, range and slope a second; zeros for an empty curve."""
    if not len(curve_T):
        return (0.0,) * len(_CURVE)
    low, high = float(curve_T.min()), float(curve_T.max())
    slope = float(np.polyfit(seconds_T, curve_T, 1)[0]) if len(curve_T) > 1 else 0.0
    return float(curve_T.mean()), float(curve_T.std()), low, high, high - low, slope
