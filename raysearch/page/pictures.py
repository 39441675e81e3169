"""What a recording looks like: a small log-mel spectrogram, and where the attention lay in it.

Axes: T frames, F mel bins, H frequencies of an attention, C columns of the picture.
"""

import base64
import math
from dataclasses import dataclass

import numpy as np

from raysearch.features.audio import AudioError, Waveform
from raysearch.features.log_mel import LogMel, LogMelConfig
from raysearch.inference.attention_map import attention_map
from raysearch.inference.emotion_model import EmotionModel

__all__ = ["Picture", "picture_of"]

# A page holds some ten pictures: about 5 kB each.
NUM_COLUMNS, NUM_BINS, MOST_ROWS = 96, 40, 16
RATE = 16_000
# What is further below the loudest is drawn as silence: 70 dB, as a natural logarithm.
RANGE = 7 * math.log(10)


@dataclass(frozen=True, slots=True)
class Picture:
    """One byte a point, in base64, row by row from low to high frequencies.

    Attributes:
        seconds: the recording's length.
        num_columns: points of time.
        num_bins: rows of the spectrogram, in mel, from 0 to 8 kHz.
        levels: the spectrogram.
        num_rows: of the attention; 1: over time alone; 0: the model has none.
        attention: its weights, from 0 to the largest of this recording.
    """

    seconds: float
    num_columns: int
    num_bins: int
    levels: str
    num_rows: int = 0
    attention: str = ""

    @property
    def num_bytes(self) -> int:
        """What it takes on the page."""
        return len(self.levels) + len(self.attention)


def picture_of(waveform: Waveform, model: EmotionModel | None) -> Picture:
    """Draw it.

    Args:
        waveform: the recording.
        model: whose attention is shown; None for no attention.

    Raises:
        AudioError: the recording cannot be used.
    """
    config = LogMelConfig(sample_rate=RATE, n_mels=NUM_BINS)
    (x_TF,) = LogMel(config)([waveform.at(RATE)])
    num_columns = min(NUM_COLUMNS, len(x_TF))
    x_FC = _fewer(x_TF.T, num_columns)
    levels_FC = 1 + (x_FC - x_FC.max()) / RANGE
    weights_HC = None if model is None else _weights(model, waveform, num_columns)
    seconds = round(waveform.duration_s, 3)
    if weights_HC is None:
        return Picture(seconds, num_columns, NUM_BINS, _bytes(levels_FC))
    rows = len(weights_HC)
    return Picture(seconds, num_columns, NUM_BINS, _bytes(levels_FC), rows, _bytes(weights_HC))


def _weights(model: EmotionModel, waveform: Waveform, num_columns: int) -> np.ndarray | None:
    """Scaled to 1 at the largest; None where there is nothing to show."""
    try:
        found_HC = attention_map(model, waveform, num_columns)
    except AudioError:
        return None  # too short for the model's own front end
    if found_HC is None or not np.isfinite(found_HC).all() or found_HC.max() <= 0:
        return None
    if len(found_HC) > MOST_ROWS:
        found_HC = _fewer(found_HC.T, MOST_ROWS).T
    scaled_HC: np.ndarray = found_HC / found_HC.max()
    return scaled_HC


def _fewer(x_RN: np.ndarray, number: int) -> np.ndarray:
    """Means over ``number`` stretches of the last axis, as equal as they can be."""
    starts = np.arange(number) * x_RN.shape[1] // number
    sizes = np.diff([*starts, x_RN.shape[1]])
    means: np.ndarray = np.add.reduceat(x_RN, starts, axis=1) / sizes
    return means


def _bytes(shares: np.ndarray) -> str:
    """From shares of the largest value."""
    levels = np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode("ascii")
