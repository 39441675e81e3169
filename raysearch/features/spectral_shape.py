"""The shape of the spectrum over voiced frames, an utterance's functionals.

Mean and deviation of what tells a pressed voice from a lax one whatever the loudness: centroid,
bandwidth, roll-off, flatness (librosa's), flux, and eGeMAPS' ratios and slopes (Eyben et al. 2016,
IEEE TAC, section 3): alpha ratio (50 to 1000 Hz over 1 to 5 kHz), Hammarberg index (peaks below
and above 2 kHz), slopes of 0 to 500 and 500 to 1500 Hz; energy in equal mel bands, relative to the
frame's.

Axis letters: T frames, V voiced frames, W window samples, K frequencies, D descriptors, M bands.
"""

from itertools import pairwise

import numpy as np

from raysearch.features.compiled_librosa import load_librosa

__all__ = ["SHAPE_FUNCTIONALS", "shape_functionals"]

NUM_BANDS = 10
# Of the frame's energy: what quieter frequencies hold is noise.
FLOOR = 1e-8
_DESCRIPTORS = (
    "centroid",
    "bandwidth",
    "rolloff",
    "flatness",
    "flux",
    "alpha_ratio",
    "hammarberg",
    "slope_500",
    "slope_1500",
    *(f"band_{m}" for m in range(NUM_BANDS)),
)
SHAPE_FUNCTIONALS = (
    *(f"{name}_mean" for name in _DESCRIPTORS),
    *(f"{name}_std" for name in _DESCRIPTORS),
)


def shape_functionals(frames_TW: np.ndarray, voiced_T: np.ndarray, sample_rate: int) -> np.ndarray:
    """The values of ``SHAPE_FUNCTIONALS``, float32; zeros where no frame is voiced.

    Args:
        frames_TW: the waveform's frames, without a window.
        voiced_T: whether a frame is voiced.
        sample_rate: Hz.
    """
    if not voiced_T.any():
        return np.zeros(len(SHAPE_FUNCTIONALS), np.float32)
    x_TW = frames_TW.astype(np.float64) * np.hanning(frames_TW.shape[1])
    power_TK = np.abs(np.fft.rfft(x_TW, axis=1)) ** 2
    shape_VD = _descriptors(power_TK, sample_rate)[voiced_T]
    return np.concatenate([shape_VD.mean(axis=0), shape_VD.std(axis=0)]).astype(np.float32)


def _descriptors(power_TK: np.ndarray, sample_rate: int) -> np.ndarray:
    """``_DESCRIPTORS`` of every frame, (T, D)."""
    hz_K = np.linspace(0, sample_rate / 2, power_TK.shape[1])
    total_T1 = np.maximum(power_TK.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    share_TK = np.maximum(power_TK / total_T1, FLOOR)
    db_TK = 10 * np.log10(share_TK)
    root_KT = np.sqrt(share_TK).T
    flux_T = np.linalg.norm(np.diff(root_KT, axis=1, prepend=root_KT[:, :1]), axis=0)
    librosa = load_librosa()
    own = (
        librosa.feature.spectral_centroid(S=root_KT, freq=hz_K)[0],
        librosa.feature.spectral_bandwidth(S=root_KT, freq=hz_K)[0],
        librosa.feature.spectral_rolloff(S=root_KT, freq=hz_K)[0],
        10 * np.log10(librosa.feature.spectral_flatness(S=root_KT)[0]),
        flux_T,
        _band_db(share_TK, hz_K, 50, 1000) - _band_db(share_TK, hz_K, 1000, 5000),
        _peak(db_TK, hz_K, 0, 2000) - _peak(db_TK, hz_K, 2000, 5000),
        _slope(db_TK, hz_K, 0, 500),
        _slope(db_TK, hz_K, 500, 1500),
    )
    edges_hz = librosa.mel_frequencies(NUM_BANDS + 1, fmin=0, fmax=sample_rate / 2)
    bands = (_band_db(share_TK, hz_K, low, high) for low, high in pairwise(edges_hz))
    return np.stack([*own, *bands], axis=1)


def _band_db(share_TK: np.ndarray, hz_K: np.ndarray, low: float, high: float) -> np.ndarray:
    """Energy from ``low`` up to below ``high`` Hz, in decibels of the frame's, (T,)."""
    inside_K = (hz_K >= low) & (hz_K < high)
    db_T: np.ndarray = 10 * np.log10(np.maximum(share_TK[:, inside_K].sum(axis=1), FLOOR))
    return db_T


def _peak(db_TK: np.ndarray, hz_K: np.ndarray, low: float, high: float) -> np.ndarray:
    """The strongest frequency's decibels, (T,); the floor if the rate leaves none."""
    inside_K = (hz_K >= low) & (hz_K < high)
    peak_T: np.ndarray = db_TK[:, inside_K].max(axis=1, initial=10 * np.log10(FLOOR))
    return peak_T


def _slope(db_TK: np.ndarray, hz_K: np.ndarray, low: float, high: float) -> np.ndarray:
    """Decibels a kilohertz of the straight line through the frequencies, (T,)."""
    inside_K = (hz_K >= low) & (hz_K < high)
    slope_T: np.ndarray = np.polyfit(hz_K[inside_K] / 1000, db_TK[:, inside_K].T, 1)[0]
    return slope_T
