"""Waveforms to one stream's features, each value as the feature store would give it back."""

from collections.abc import Sequence

import numpy as np

from raysearch.features.audio import AudioError, Waveform
from raysearch.features.extractor import FeatureConfig
from raysearch.features.extractor_table import build_extractor

__all__ = ["FrontEnd"]

_LARGEST_HALF = np.finfo(np.float16).max


class FrontEnd:
    """Computes one stream; axes: T frames, F bins.

    Args:
        config: the stream's settings.
    """

    def __init__(self, config: FeatureConfig) -> None:
        self._extractor = build_extractor(config)
        self.config = config

    @property
    def floor(self) -> float:
        """The value of silence, for padding."""
        return self._extractor.floor

    @property
    def num_bins(self) -> int:
        """F."""
        return self._extractor.num_bins

    @property
    def half(self) -> bool:
        """Whether values are rounded to half precision, as the store keeps them."""
        return self._extractor.half

    def __call__(self, waveforms: Sequence[Waveform]) -> list[np.ndarray]:
        """Float32 (T, F) of each waveform.

        Raises:
            AudioError: a waveform that is too short, or features that are not finite.
        """
        rate = self.config.sample_rate
        with np.errstate(all="ignore"):  # what overflows is found in the values
            found = self._extractor([waveform.at(rate) for waveform in waveforms])
        for waveform, values_TF in zip(waveforms, found, strict=True):
            if not np.isfinite(values_TF).all():
                reason = f"{self.config.extractor}: values that are NaN or infinite"
                raise AudioError(waveform.name, reason)
        return [self._as_stored(values_TF) for values_TF in found]

    def _as_stored(self, values_TF: np.ndarray) -> np.ndarray:
        """What the store keeps in half precision has lost its last bits when a net reads it."""
        if not self._extractor.half:
            return np.asarray(values_TF, dtype=np.float32)
        halved = np.clip(values_TF, -_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
        values: np.ndarray = halved.astype(np.float32)
        return values
