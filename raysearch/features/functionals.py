"""Functionals: one row an utterance, for solved models and beside any network.

Four groups, of which the config names some: ``mfcc`` (mean and deviation of coefficients and their
derivatives over all frames), ``prosody`` and ``shape`` (over voiced frames), ``voice`` (jitter,
shimmer, harmonics-to-noise ratio, by Praat, an extra). Sets of this kind are the classical input
of the field, of which eGeMAPS (Eyben et al. 2016, IEEE TAC) is the best known.

Axis letters: N samples, T frames, W window samples, F values.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from raysearch.config.base import did_you_mean
from raysearch.features.curve_statistics import PROSODY_FUNCTIONALS
from raysearch.features.extractor import Extractor, StreamKind
from raysearch.features.mfcc import Mfcc, MfccConfig
from raysearch.features.prosody import PitchConfig, pitch_curves
from raysearch.features.spectral_shape import SHAPE_FUNCTIONALS, shape_functionals
from raysearch.features.voice_quality import VOICE_FUNCTIONALS, check_praat, voice_functionals

__all__ = ["GROUPS", "Functionals", "FunctionalsConfig"]

GROUPS = ("mfcc", "prosody", "shape", "voice")


class FunctionalsConfig(PitchConfig):
    """Which groups, where pitch is looked for, and what the coefficients are of."""

    extractor: Literal["functionals"] = Field("functionals", description="This extractor.")
    groups: str = Field(
        "mfcc+prosody+shape", description="Of mfcc, prosody, shape and voice, joined by '+'."
    )
    n_mels: int = Field(64, ge=8, le=256, description="Mel bins under the coefficients.")
    n_mfcc: int = Field(20, ge=2, le=128, description="Coefficients, from the first on.")
    deltas: Literal[0, 1, 2] = Field(2, description="Derivatives of the coefficients.")

    @field_validator("groups")
    @classmethod
    def _known(cls, groups: str) -> str:
        """In the order of ``GROUPS``, so that one set has one name."""
        names = groups.split("+")
        for name in names:
            if name not in GROUPS:
                raise ValueError(f"{name!r} is no group{did_you_mean(name, GROUPS)}")
        if len(set(names)) < len(names):
            raise ValueError("a group is named twice")
        return "+".join(name for name in GROUPS if name in names)

    @model_validator(mode="after")
    def _coefficients(self) -> "FunctionalsConfig":
        self.mfcc()
        return self

    @property
    def chosen(self) -> tuple[str, ...]:
        """The chosen groups, as a tuple."""
        return tuple(self.groups.split("+"))

    def mfcc(self) -> MfccConfig:
        """The coefficients' settings: 25 ms windows every 10 ms."""
        own = {name: getattr(self, name) for name in ("sample_rate", "n_mels", "n_mfcc", "deltas")}
        return MfccConfig(**own)

    def check_external_files(self) -> None:
        """Look for Praat, if the voice group is among them.

        Raises:
            UserError: it is not installed.
        """
        if "voice" in self.chosen:
            check_praat()


class Functionals(Extractor):
    """The groups' values side by side, in the order of ``GROUPS``.

    Attributes:
        names: what each value is: ``mfcc_0_mean``, ``pitch_mean``, ``jitter_local``.
    """

    Config: ClassVar[type[FunctionalsConfig]] = FunctionalsConfig
    kind: StreamKind = "vector"
    config: FunctionalsConfig

    def __init__(self, config: FunctionalsConfig) -> None:
        self.config = config
        self._mfcc = Mfcc(config.mfcc())
        names = {
            "mfcc": [f"mfcc_{i}_{s}" for s in ("mean", "std") for i in range(self._mfcc.num_bins)],
            "prosody": PROSODY_FUNCTIONALS,
            "shape": SHAPE_FUNCTIONALS,
            "voice": VOICE_FUNCTIONALS,
        }
        self.names = tuple(name for group in config.chosen for name in names[group])
        self.num_bins = len(self.names)
        self.floor = 0.0
        self.frames_per_second = 0.0

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Mono float32 waveforms (N,) at the config's rate to float32 (1, F)."""
        return [self._one(waveform_N)[None] for waveform_N in waveforms]

    def _one(self, waveform_N: np.ndarray) -> np.ndarray:
        config, parts = self.config, []
        if "mfcc" in config.chosen:
            (mfcc_TF,) = self._mfcc([waveform_N])
            parts += [mfcc_TF.mean(axis=0), mfcc_TF.std(axis=0)]
        if {"prosody", "shape"} & set(config.chosen):
            curves = pitch_curves(waveform_N, config)
            if "prosody" in config.chosen:
                parts.append(curves.functionals())
            if "shape" in config.chosen:
                rate = config.sample_rate
                parts.append(shape_functionals(_middle(curves.frames_TW), curves.voiced_T, rate))
        if "voice" in config.chosen:
            parts.append(
                voice_functionals(waveform_N, config.sample_rate, config.f_min, config.f_max)
            )
        return np.concatenate(parts).astype(np.float32)


def _middle(frames_TW: np.ndarray) -> np.ndarray:
    """Each window's middle half: pitch needs long windows, which blur a spectrum."""
    quarter = frames_TW.shape[1] // 4
    return frames_TW[:, quarter : frames_TW.shape[1] - quarter]
