"""Functionals of an utterance's prosody curves, over voiced frames where pitch is concerned.

The choice follows the prosodic part of eGeMAPS (Eyben et al. 2016, IEEE TAC, section 3):
percentiles beside the moments, the slopes of rising and falling parts, and how voiced stretches
follow each other. What has no frame to be measured on is 0.

Axis letters: T frames, V voiced frames.
"""

import numpy as np

__all__ = ["PROSODY_FUNCTIONALS", "prosody_functionals"]

_CURVE = ("mean", "std", "p20", "p50", "p80", "range", "rise", "fall", "slope")
PROSODY_FUNCTIONALS = (
    *(f"pitch_{name}" for name in _CURVE),
    *(f"energy_{name}" for name in _CURVE),
    "energy_voiced_minus_rest",
    "voiced_share",
    "voiced_segments_per_second",
    "voiced_seconds_mean",
    "voiced_seconds_std",
    "unvoiced_seconds_mean",
    "unvoiced_seconds_std",
)


def prosody_functionals(
    pitch_T: np.ndarray, voiced_T: np.ndarray, energy_T: np.ndarray, hop_s: float
) -> np.ndarray:
    """The values of ``PROSODY_FUNCTIONALS``, float32.

    Args:
        pitch_T: semitones; what it holds at unvoiced frames is not read.
        voiced_T: whether a frame is voiced.
        energy_T: decibels.
        hop_s: seconds from frame to frame.
    """
    stretches = _stretches(voiced_T)
    voiced_s = [(stop - start) * hop_s for start, stop in stretches]
    unvoiced_s = [(stop - start) * hop_s for start, stop in _stretches(~voiced_T)]
    louder = 0.0
    if voiced_T.any() and not voiced_T.all():
        louder = float(energy_T[voiced_T].mean() - energy_T[~voiced_T].mean())
    values = [
        *_of_curve(pitch_T, stretches, hop_s),
        *_of_curve(energy_T, stretches, hop_s),
        louder,
        float(voiced_T.mean()),
        len(stretches) / (len(voiced_T) * hop_s),
        *_mean_std(voiced_s),
        *_mean_std(unvoiced_s),
    ]
    return np.array(values, dtype=np.float32)


def _stretches(mask_T: np.ndarray) -> list[tuple[int, int]]:
    """First frame, and the one after the last, of every run of true frames."""
    edges = np.flatnonzero(np.diff(mask_T.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _of_curve(
    curve_T: np.ndarray, stretches: list[tuple[int, int]], hop_s: float
) -> tuple[float, ...]:
    """``_CURVE`` over the stretches' frames; slopes are a second, none across a gap."""
    if not stretches:
        return (0.0,) * len(_CURVE)
    frames_V = np.concatenate([np.arange(start, stop) for start, stop in stretches])
    values_V = curve_T[frames_V]
    low, middle, high = (float(v) for v in np.percentile(values_V, (20, 50, 80)))
    steps = np.concatenate([np.diff(curve_T[start:stop]) for start, stop in stretches]) / hop_s
    trend = float(np.polyfit(frames_V * hop_s, values_V, 1)[0]) if len(values_V) > 1 else 0.0
    rise, fall = (_mean_std(steps[side])[0] for side in (steps > 0, steps < 0))
    return (*_mean_std(values_V), low, middle, high, high - low, rise, fall, trend)


def _mean_std(values: np.ndarray | list[float]) -> tuple[float, float]:
    return (float(np.mean(values)), float(np.std(values))) if len(values) else (0.0, 0.0)
