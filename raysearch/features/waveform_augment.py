"""A fixed bank of waveform augmentations: noise, pitch and stretch cells.

Each cell is computed once beside the clean row, for training rows only; a search picks among the
bank's cells and how often one replaces the clean row. The trio is that of arXiv 2509.00077 and
2507.03251; ``noise:paper`` is the latter's released code: 0.035 x U(0, 1) x max|x| times
Gaussian noise.

Pitch and stretch are librosa's phase vocoder with a window near 40 ms, not its default of 2048
samples. Log-mel distance (nepers) of the result to the same synthetic speech made at that tempo
or pitch, at 16 kHz: 512 samples 0.99 and 1.04, 1024 1.06 and 1.13, 2048 1.26 and 1.33, which is
no better than resampling (1.27); 8 ms for 2.4 s.
"""

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field, model_validator

from raysearch.config.base import Config, did_you_mean
from raysearch.features.compiled_librosa import load_effects

__all__ = ["Cell", "WaveformAugmentConfig", "active_power", "apply_cell", "parse_cell", "selected"]

MAX_CELLS = 12
PAPER_NOISE = 0.035
WINDOW_S = 0.04
# A frame counts as speech if it is at most this far below the loudest one.
FRAME_S = 0.02
ACTIVE_DB = 30.0
# kind: smallest and largest value, and its unit.
_BOUNDS = {
    "noise": (-20.0, 60.0, "dB"),
    "pitch": (-12.0, 12.0, "semitones"),
    "stretch": (0.5, 2.0, "times the tempo"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One augmentation of a waveform: a kind and its strength.

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
        raise ValueError(f"cell {name!r}: no kind {kind!r}{did_you_mean(kind, list(_BOUNDS))}")
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
    """The bank of augmentations that is computed, and how a trial draws from it."""

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
        names: dict[Cell, str] = {}
        for name in self.bank:
            cell = parse_cell(name)
            if cell in names:
                raise ValueError(f"bank has a cell twice: {names[cell]}, {name}")
            names[cell] = name
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
        seed: of the noise; pitch and stretch are fixed. An SNR is that of the sounding frames.

    Raises:
        ValueError: no such cell.
    """
    cell = parse_cell(name)
    if cell.kind == "noise" or cell.value is None:
        rng = np.random.default_rng(seed)
        changed_N = waveform_N + _noise_scale(waveform_N, sample_rate, cell.value, rng) * (
            rng.standard_normal(len(waveform_N))
        )
    else:
        changed_N = _vocoded(waveform_N, sample_rate, cell.kind, cell.value)
    return np.ascontiguousarray(changed_N, dtype=np.float32)


def _noise_scale(
    x_N: np.ndarray, sample_rate: int, snr_db: float | None, rng: np.random.Generator
) -> float:
    """The noise's standard deviation."""
    if snr_db is None:
        return float(PAPER_NOISE * rng.uniform() * np.abs(x_N).max(initial=0))
    return float(np.sqrt(active_power(x_N, sample_rate) / 10 ** (snr_db / 10)))


def active_power(x_N: np.ndarray, sample_rate: int) -> float:
    """Mean power of the frames that sound: pauses and padding must not make noise quieter."""
    frame = max(1, min(len(x_N), round(FRAME_S * sample_rate)))
    frames_TW = x_N[: len(x_N) // frame * frame].reshape(-1, frame)
    power_T = np.mean(np.square(frames_TW, dtype=np.float64), axis=1)
    if not power_T.any():
        return 0.0
    return float(power_T[power_T >= power_T.max() / 10 ** (ACTIVE_DB / 10)].mean())


def _vocoded(x_N: np.ndarray, sample_rate: int, kind: str, value: float) -> np.ndarray:
    """``x_N`` at another pitch or tempo; what is shorter than a window is padded with silence."""
    effects = load_effects()
    n_fft = 1 << max(4, round(math.log2(WINDOW_S * sample_rate)))
    num_samples = len(x_N)
    # A stretch to twice the tempo leaves half the samples, which must still fill a window.
    padded_N = np.pad(x_N, (0, max(0, 2 * n_fft - num_samples)))
    changed_N: np.ndarray
    if kind == "pitch":
        changed_N = effects.pitch_shift(
            padded_N, sr=sample_rate, n_steps=value, n_fft=n_fft, res_type="soxr_hq"
        )
        return changed_N[:num_samples]
    changed_N = effects.time_stretch(padded_N, rate=value, n_fft=n_fft)
    return changed_N[: max(1, round(num_samples / value))]
