"""An extractor of the user's own, named by its dotted path."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from raysearch.features.extractor import Extractor, FeatureConfig

HOP = 160


class LoudnessConfig(FeatureConfig):
    extractor: str = Field("own_extractor:Loudness", description="This one.")


class Loudness(Extractor):
    Config: ClassVar[type[FeatureConfig]] = LoudnessConfig
    kind = "frames"

    def __init__(self, config: FeatureConfig) -> None:
        self.config = config
        self.num_bins, self.floor = 1, 0.0
        self.frames_per_second = config.sample_rate / HOP

    def __call__(self, waveforms):
        return [self._one(np.pad(x, (0, max(0, HOP - len(x))))) for x in waveforms]

    def _one(self, x):
        frames = x[: len(x) // HOP * HOP].reshape(-1, HOP)
        return np.abs(frames).mean(axis=1, keepdims=True).astype(np.float32)
