"""A fixed bank of waveform augmentations: noise, pitch and stretch cells.

Each cell is computed once beside the clean row, for training rows only; a search picks among the
bank's cells and how often one replaces the clean row. The trio is that of arXiv 2509.00077 and
2507.03251; ``noise:paper`` is the latter's released code: 0.035 x U(0, 1) x max|x| times
Gaussian noise.
"""

from dataclasses import dataclass

import numpy as np
from pydantic import Field, model_validator

from raysearch.config.base import Config, nearest

__all__ = ["Cell", "WaveformAugmentConfig", "apply_cell", "parse_cell", "selected"]

MAX_CELLS = 12
PAPER_NOISE = 0.035
# kind: smallest and largest value, and its unit.
_BOUNDS = {
    "noise": (-20.0, 60.0, "dB"),
    "pitch": (-12.0, 12.0, "semitones"),
    "stretch": (0.5, 2.0, "times the tempo"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One augmentation.

    Attributes:
        kind: ``noise``, ``pitch`` or ``stretch``.
        value: SNR in dB, semitones, or tempo; None for ``noise:paper``.
    """

    kind: str
    value: float | None


def parse_cell(name: str) -> Cell:
    """The cell that ``"noise:20"``, ``"noise:paper"``, ``"pitch:-2"`` or ``"stretch:0.9"`` names.

    Raises:
        ValueError: another kind, no number, or one that is out of bounds.
    """
    kind, _, text = name.partition(":")
    if kind not in _BOUNDS:
        raise ValueError(f"cell {name!r}: no kind {kind!r}{nearest(kind, list(_BOUNDS))}")
    if name == "noise:paper":
        return Cell(kind, None)
    low, high, unit = _BOUNDS[kind]
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise ValueError(f"cell {name!r}: {kind} is a number from {low:g} to {high:g} ({unit})")
    return Cell(kind, value)


class WaveformAugmentConfig(Config):
    """The bank, and what a trial makes of it."""

    bank: tuple[str, ...] = Field(
        (), max_length=MAX_CELLS, description="cells that are computed, such as noise:20, pitch:0.7"
    )
    cells: str = Field(
        "none", description="none, all, kinds or cells of the bank, joined by '+': noise+pitch"
    )
    probability: float = Field(
        0.5, ge=0, le=1, description="how often a cell replaces a training row in an epoch"
    )

    @model_validator(mode="after")
    def _check(self) -> "WaveformAugmentConfig":
        for name in self.bank:
            parse_cell(name)
        if len(set(self.bank)) < len(self.bank):
            raise ValueError("bank names a cell twice")
        selected(self)
        return self


def selected(config: WaveformAugmentConfig) -> tuple[str, ...]:
    """The bank's cells that ``config.cells`` picks, in the bank's order.

    Raises:
        ValueError: a word that picks none of them.
    """
    if config.cells == "none":
        return ()
    if config.cells == "all" and config.bank:
        return config.bank
    found: set[str] = set()
    for word in config.cells.split("+"):
        matching = {name for name in config.bank if word in (name, name.partition(":")[0])}
        if not matching:
            bank = ", ".join(config.bank) or "nothing"
            raise ValueError(f"cells {config.cells!r}: the bank has no {word!r} (it holds {bank})")
        found |= matching
    return tuple(name for name in config.bank if name in found)


def apply_cell(waveform_N: np.ndarray, sample_rate: int, name: str, seed: int) -> np.ndarray:
    """The waveform after the cell ``name``, float32; a stretch changes its length by 1 / tempo.

    Args:
        waveform_N: mono float32 samples.
        sample_rate: Hz.
        name: a cell.
        seed: of the noise; pitch and stretch are fixed.
    """
    cell = parse_cell(name)
    if cell.value is None or cell.kind == "noise":
        changed_N = _noise(waveform_N, cell.value, np.random.default_rng(seed))
    elif cell.kind == "pitch":
        changed_N = _pitch(waveform_N, sample_rate, cell.value)
    else:
        changed_N = _stretch(waveform_N, cell.value)
    return np.ascontiguousarray(changed_N, dtype=np.float32)


def _noise(x_N: np.ndarray, snr_db: float | None, rng: np.random.Generator) -> np.ndarray:
    if snr_db is None:
        scale = PAPER_NOISE * rng.uniform() * np.abs(x_N).max()
    else:
        scale = np.sqrt(np.mean(np.square(x_N, dtype=np.float64)) / 10 ** (snr_db / 10))
    noisy_N: np.ndarray = x_N + scale * rng.standard_normal(len(x_N))
    return noisy_N


def _pitch(x_N: np.ndarray, sample_rate: int, semitones: float) -> np.ndarray:
    import librosa

    n_fft = _n_fft(len(x_N))
    shifted: np.ndarray = librosa.effects.pitch_shift(
        x_N, sr=sample_rate, n_steps=semitones, n_fft=n_fft, res_type="soxr_hq"
    )
    return shifted


def _stretch(x_N: np.ndarray, tempo: float) -> np.ndarray:
    import librosa

    stretched: np.ndarray = librosa.effects.time_stretch(x_N, rate=tempo, n_fft=_n_fft(len(x_N)))
    return stretched


def _n_fft(num_samples: int) -> int:
    """The window that librosa takes for speech-length signals; shorter ones get what fits them."""
    return int(min(2048, 1 << max(4, num_samples.bit_length() - 1)))
