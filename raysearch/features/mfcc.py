"""Mel-frequency cepstral coefficients, the input of the attention 1D-CNN (arXiv 2507.03251).

As librosa's ``mfcc`` with ``top_db=None``: the orthonormal DCT-II of the mel power in decibels,
on this package's own frames (no centring, no padding).

Axis letters: N samples, T frames, M mel bins, F coefficients.
"""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator
from scipy.fft import dct

from raysearch.features.derivatives import with_deltas
from raysearch.features.extractor import Extractor, FeatureConfig, StreamKind
from raysearch.features.log_mel import LogMel, LogMelConfig

__all__ = ["Mfcc", "MfccConfig"]

DECIBELS_PER_NEPER = 10 / math.log(10)


class MfccConfig(FeatureConfig):
    """A log-mel spectrogram's settings, and what is kept of its cosine transform."""

    extractor: Literal["mfcc"] = Field("mfcc", description="The MFCC extractor.")
    window_ms: float = Field(25.0, ge=4, le=200, description="Analysis window, milliseconds.")
    hop_ms: float = Field(10.0, ge=1, le=200, description="Step between frames, milliseconds.")
    n_mels: int = Field(64, ge=8, le=256, description="Mel bins under the coefficients.")
    f_min: float = Field(0.0, ge=0, description="Lowest frequency, Hz.")
    f_max: float | None = Field(None, gt=0, description="Highest frequency, Hz; null: Nyquist.")
    n_mfcc: int = Field(20, ge=2, le=128, description="Coefficients, from the first on.")
    deltas: Literal[0, 1, 2] = Field(0, description="Derivatives that are appended as bins.")
    pre_emphasis: float = Field(
        0.0, ge=0, lt=1, description="Share of the sample before that is subtracted; 0 is off."
    )

    NEUTRAL: ClassVar[Mapping[str, float]] = {"pre_emphasis": 0.0}

    @model_validator(mode="after")
    def _check(self) -> "MfccConfig":
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc {self.n_mfcc} exceeds n_mels {self.n_mels}")
        self.mel()
        return self

    def mel(self) -> LogMelConfig:
        """The settings of the spectrogram that the coefficients are computed from."""
        own = {name: getattr(self, name) for name in LogMelConfig.model_fields if name in _MEL}
        return LogMelConfig(**own)


_MEL = ("sample_rate", "window_ms", "hop_ms", "n_mels", "f_min", "f_max", "pre_emphasis")


class Mfcc(Extractor):
    """Coefficients, then their derivatives, a frame.

    Padding is 0: no one number is silence for every coefficient, and networks mask by length.
    """

    Config: ClassVar[type[MfccConfig]] = MfccConfig
    kind: StreamKind = "frames"
    config: MfccConfig

    def __init__(self, config: MfccConfig) -> None:
        self.config = config
        self._mel = LogMel(config.mel())
        self.num_bins = config.n_mfcc * (1 + config.deltas)
        self.floor = 0.0
        self.frames_per_second = self._mel.frames_per_second

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Mono float32 waveforms (N,) at the config's rate to float32 (T, F)."""
        return [self._one(mel_TM) for mel_TM in self._mel(waveforms)]

    def _one(self, mel_TM: np.ndarray) -> np.ndarray:
        power_db_TM = DECIBELS_PER_NEPER * mel_TM
        mfcc_TF = dct(power_db_TM, type=2, norm="ortho", axis=1)[:, : self.config.n_mfcc]
        return with_deltas(mfcc_TF, self.config.deltas)
