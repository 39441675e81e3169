"""What every feature extractor is: a config class and a function from waveforms to arrays."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from raysearch.config.base import Config

__all__ = ["Extractor", "FeatureConfig", "StreamKind", "StreamShape"]

StreamKind = Literal["spectrogram", "frames", "vector", "waveform"]
"""What the values are, and so what may be done to them in training:

- ``spectrogram``: neighbouring bins are neighbouring frequencies: normalised, shifted, masked in
  time and frequency;
- ``frames``: bins are unrelated (MFCC, SSL): as above, but no frequency masks;
- ``vector``: one row of functionals an utterance: normalised by the training rows' statistics
  (an utterance's own would leave zeros), never augmented;
- ``waveform``: samples: shifted with the row's other streams, otherwise left as they are.
"""


class FeatureConfig(Config):
    """The part of a stream's config that all extractors share; it names the extractor.

    Attributes:
        NEUTRAL: fields that came later, each with the value that leaves features as they were
            without it. At that value they are no part of the identity, so stored features stay
            valid.
    """

    NEUTRAL: ClassVar[Mapping[str, float]] = {}

    extractor: str = Field(min_length=1, description="Extractor: a table's name or module:Class.")
    sample_rate: int = Field(16000, ge=4000, le=96000, description="Hz; audio is resampled to it.")

    def variant(self) -> str:
        """What makes a published system that reads this stream a variant; empty: nothing."""
        return ""

    def identity(self) -> dict[str, object]:
        """As ``Config.identity``, without fields of ``NEUTRAL`` that change nothing."""
        own = super().identity()
        return {k: v for k, v in own.items() if k not in self.NEUTRAL or v != self.NEUTRAL[k]}


@dataclass(frozen=True, slots=True)
class StreamShape:
    """What a network is told of one of its inputs.

    Attributes:
        num_bins: F, values a frame.
        num_frames: T of a clip; no batch has more frames.
        frames_per_second: frames a second of audio.
        kind: what the values are.
        num_layers: equal blocks that the bins fall into, one a layer of an SSL encoder.
        num_channels: equal blocks that a spectrogram's bins fall into: itself, its derivatives.
        encoder: of a waveform that the network encodes itself, the encoder's sizes as JSON.
    """

    num_bins: int
    num_frames: int
    frames_per_second: float = 100.0
    kind: StreamKind = "spectrogram"
    num_layers: int = 1
    num_channels: int = 1
    encoder: str = ""


class Extractor(ABC):
    """Turns waveforms into frames; built as ``Cls(config)``; ``Cls.Config`` is its config class.

    Building one must stay cheap (no torch, no weights): processes that only read settings do it.

    Attributes:
        config: the settings it was built from; ``config.sample_rate`` is what it wants, in Hz.
        num_bins: F, values a frame.
        floor: the value that silence has, used as padding.
        frames_per_second: frames a second of audio; 0 for one frame an utterance.
        kind: what the values are.
        num_layers, num_channels, encoder: as in ``StreamShape``.
        half: whether float16 is exact enough to store it in: 11 bits, up to 65504.
        wants_gpu: whether a GPU computes it many times faster.
        device: where it computes; heeded if it wants a GPU, and set before the first call.
    """

    Config: ClassVar[type[FeatureConfig]]
    kind: StreamKind = "spectrogram"
    num_layers: int = 1
    num_channels: int = 1
    encoder: str = ""
    half: bool = False
    wants_gpu: bool = False
    device: str = "cpu"
    config: FeatureConfig
    num_bins: int
    floor: float
    frames_per_second: float

    def shape(self, clip_s: float) -> StreamShape:
        """What a network is told of this stream for clips of ``clip_s`` seconds."""
        return StreamShape(
            num_bins=self.num_bins,
            num_frames=max(1, round(clip_s * self.frames_per_second)),
            frames_per_second=self.frames_per_second,
            kind=self.kind,
            num_layers=self.num_layers,
            num_channels=self.num_channels,
            encoder=self.encoder,
        )

    @abstractmethod
    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Mono float32 waveforms (N,) to float32 (T, F), T >= 1, each independent of the rest."""
