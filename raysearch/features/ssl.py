"""Pretrained speech encoders (HuBERT, wav2vec2, WavLM, Whisper) as features.

Frozen, the encoder runs once and its frames are stored. Tuned, the waveform is stored, and the
model runs the encoder and learns it, too. Axis letters: N samples, T frames, F bins.
"""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from raysearch.config.identity import canonical_json
from raysearch.errors import ConfigError
from raysearch.features.extractor import Extractor, FeatureConfig
from raysearch.features.ssl_sizes import HUBERT_BASE, SAMPLE_RATE, EncoderPlan, Layer
from raysearch.features.ssl_weights import (
    HOW_TO_GET,
    check_weights,
    inspect_weights,
    load_weights,
    weights_digest,
)

if TYPE_CHECKING:
    from raysearch.features.ssl_encoding import SslFrames

__all__ = ["Ssl", "SslConfig"]

NAMES = {"wav2vec2": "a HuBERT or wav2vec2 of other sizes", "wavlm": "WavLM", "whisper": "Whisper"}


class SslConfig(FeatureConfig):
    """Which encoder, which of its layers, and who runs it."""

    extractor: Literal["ssl"] = Field("ssl", description="The pretrained encoders' extractor.")
    sample_rate: Literal[16000] = Field(16000, description="Hz; what they were trained on.")
    weights: str | None = Field(
        None,
        description="torchaudio's .pth, OpenAI's .pt, a .safetensors, or a folder of Hugging Face"
        " or CTranslate2; needed to run.",
    )
    layer: Layer = Field(
        "last",
        description="last, a number (a shallower encoder gives its last), or weighted: all layers,"
        " of which the model learns a mixture.",
    )
    mode: Literal["frozen", "tuned"] = Field(
        "frozen", description="Run the encoder once, or inside the model, which fine-tunes it."
    )
    pool: Literal["none", "mean_std"] = Field(
        "none",
        description="Store a frozen encoder's frames, or each layer's mean and deviation over the"
        " utterance: a hundredth of the size.",
    )

    @field_validator("weights")
    @classmethod
    def _absolute(cls, weights: str | None) -> str | None:
        """Workers may run in another folder."""
        return None if weights is None else os.path.abspath(os.path.expanduser(weights))

    @model_validator(mode="after")
    def _pools_what_it_runs(self) -> "SslConfig":
        if self.mode == "tuned" and self.pool != "none":
            raise ValueError("a tuned encoder's frames are not pooled before: set pool to none")
        return self

    @property
    def path(self) -> Path:
        """The path of the weights' file or folder.

        Raises:
            ConfigError: they are not given.
        """
        if self.weights is None:
            raise ConfigError(
                "features.ssl.weights is null: the weights of a HuBERT, wav2vec2, WavLM or Whisper"
                f" encoder are needed: {HOW_TO_GET}"
            )
        return Path(self.weights)

    def plan(self) -> EncoderPlan:
        """The encoder's sizes, HuBERT-base's as long as no weights are given.

        Raises:
            MissingPathError: as ``inspect_weights``.
            DataError: as ``inspect_weights``.
        """
        sizes = HUBERT_BASE if self.weights is None else inspect_weights(self.path)
        return EncoderPlan(sizes=sizes, layer=self.layer)

    def check_external_files(self) -> None:
        """Check that the weights are there and can be read.

        Raises:
            ConfigError: they are not given.
            MissingPathError: there are none at that path, or their config is not beside them.
            DataError: a file of another format or network.
        """
        check_weights(self.path)

    def variant(self) -> str:
        """Another encoder than HuBERT-base, which the published systems have."""
        sizes = self.plan().sizes
        if sizes == HUBERT_BASE:
            return ""
        name = NAMES[sizes.family]
        return f"{name} ({sizes.num_layers} layers of {sizes.width}) in HuBERT-base's place"

    def identity(self) -> dict[str, object]:
        """The settings, with the weights named by their content instead of their path."""
        own = super().identity()
        if self.weights is None:
            return own
        plan = self.plan()
        layer = plan.depth if isinstance(self.layer, int) else self.layer
        sizes = plan.sizes.model_dump(mode="json")
        return {**own, "weights": weights_digest(self.path), "layer": layer, "encoder": sizes}


class Ssl(Extractor):
    """The encoder's frames, or the waveform for a model that encodes it itself.

    Utterances go through one at a time, so that neighbours cannot change a bit. Padding is 0.
    Frames, which fill disks, are stored in half precision; an utterance's statistics are not.
    """

    Config: ClassVar[type[SslConfig]] = SslConfig
    config: SslConfig

    def __init__(self, config: SslConfig) -> None:
        self.config = config
        self.floor = 0.0
        self._plan = plan = config.plan()
        self.num_layers = plan.num_outputs
        if config.mode == "tuned":
            self.kind, self.num_bins, self.frames_per_second = "waveform", 1, float(SAMPLE_RATE)
            self.encoder = canonical_json(plan)
        elif config.pool == "mean_std":
            self.kind, self.num_bins, self.frames_per_second = "vector", 2 * plan.num_bins, 0.0
            self.wants_gpu = True
        else:
            self.kind, self.num_bins, self.wants_gpu = "frames", plan.num_bins, True
            self.half = True
            self.frames_per_second = SAMPLE_RATE / plan.sizes.hop

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Mono float32 waveforms (N,) at 16 kHz to float32 (T, F), or (N, 1) if tuned.

        Pooled they are one row, each layer's means and then its deviations, layer by layer.

        Raises:
            ConfigError: no weights are given.
            DataError: they do not fit.
        """
        if self.config.mode == "tuned":
            return [np.asarray(w, dtype=np.float32).reshape(-1, 1) for w in waveforms]
        pooled = self.config.pool == "mean_std"
        return [self._frames(waveform_N, pooled=pooled) for waveform_N in waveforms]

    @cached_property
    def _frames(self) -> "SslFrames":
        # Here, not above: a config is read in processes that must start without torch.
        from raysearch.features.ssl_encoding import SslFrames

        return SslFrames(self._plan, load_weights(self.config.path), self.device)
