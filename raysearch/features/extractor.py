"""What every feature extractor is: a config class and a function from waveforms to arrays."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from pydantic import Field

from raysearch.config.base import Config

__all__ = ["Extractor", "FeatureConfig"]


class FeatureConfig(Config):
    """The part of a stream's config that all extractors share; it names the extractor."""

    extractor: str = Field(min_length=1, description="Extractor: a table's name or module:Class.")


@runtime_checkable
class Extractor(Protocol):
    """Turns waveforms into frames; built as ``Cls(config)``; ``Cls.Config`` is its config class.

    Attributes:
        config: the settings it was built from; ``config.sample_rate`` is what it wants, in Hz.
        num_bins: F, values a frame.
        floor: the value that silence has, used as padding.
        frames_per_second: frames a second of audio.
    """

    config: FeatureConfig
    num_bins: int
    floor: float
    frames_per_second: float

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Mono float32 waveforms (N,) to float32 (T, F), T >= 1, each independent of the rest."""
        ...
