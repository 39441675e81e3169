"""Prosody: pitch, voicing and energy, frame by frame or as an utterance's functionals.

Pitch and voicing are ``pitch.track_pitch``'s; energy is the frame's root mean square in decibels.

Axis letters: N samples, T frames, F values a frame.
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from raysearch.features.extractor import Extractor, FeatureConfig, StreamKind
from raysearch.features.mfcc import deltas
from raysearch.features.pitch import track_pitch

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
        # The pitch tracker compares a period with the next one, so a window must hold both.
        if self.window_ms * self.f_min < 2000:
            raise ValueError(
                f"window_ms {self.window_ms:g} is shorter than two periods of f_min {self.f_min:g}"
                f" Hz: raise it to {math.ceil(2000 / self.f_min)} or more"
            )
        return self


class Prosody(Extractor):
    """Pitch in semitones above 100 Hz (0 where unvoiced), periodicity, energy, and derivatives.

    Pitch's derivative is that of a curve drawn through the unvoiced frames (0 in these): the
    edges of voice are no glides.
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
        hz_T, periodicity_T, energy_T = self._curves(waveform_N)
        voiced_T = hz_T > 0
        pitch_T = np.where(voiced_T, 12 * np.log2(np.maximum(hz_T, 1) / REFERENCE_HZ), 0.0)
        if self.config.per == "utterance":
            return self._functionals(pitch_T, voiced_T, energy_T)
        curves_TF = np.stack([pitch_T, periodicity_T, energy_T], axis=1)
        slopes_TF = deltas(np.stack([_bridged(pitch_T, voiced_T), *curves_TF.T[1:]], axis=1), 1)
        slopes_TF[~voiced_T, 0] = 0
        return np.concatenate([curves_TF, slopes_TF], axis=1).astype(np.float32)

    def _curves(self, waveform_N: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Hz (0 where unvoiced), periodicity (0 to 1) and decibels, each (T,)."""
        x_N = np.pad(waveform_N, (0, max(0, self._window - len(waveform_N))))
        hz_T, periodicity_T = track_pitch(
            x_N,
            self.config.sample_rate,
            window=self._window,
            hop=self._hop,
            f_min=self.config.f_min,
            f_max=self.config.f_max,
        )
        sums_N = np.cumsum(np.pad(np.square(x_N, dtype=np.float64), (1, 0)))
        starts_T = np.arange(len(hz_T)) * self._hop
        power_T = (sums_N[starts_T + self._window] - sums_N[starts_T]) / self._window
        return hz_T, periodicity_T, 10 * np.log10(np.maximum(power_T, 10 ** (FLOOR_DB / 10)))

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


def _bridged(pitch_T: np.ndarray, voiced_T: np.ndarray) -> np.ndarray:
    """Pitch with straight lines over unvoiced frames, and level ends."""
    if not voiced_T.any():
        return pitch_T
    places_T = np.arange(len(pitch_T))
    bridged_T: np.ndarray = np.interp(places_T, places_T[voiced_T], pitch_T[voiced_T])
    return bridged_T


def _statistics(curve_T: np.ndarray, seconds_T: np.ndarray) -> tuple[float, ...]:
    """Mean, deviation, extremes, range and slope a second; zeros for an empty curve."""
    if not len(curve_T):
        return (0.0,) * len(_CURVE)
    low, high = float(curve_T.min()), float(curve_T.max())
    slope = float(np.polyfit(seconds_T, curve_T, 1)[0]) if len(curve_T) > 1 else 0.0
    return float(curve_T.mean()), float(curve_T.std()), low, high, high - low, slope
