"""Jitter, shimmer and harmonics-to-noise ratio of an utterance's voice, by Praat.

An extra: ``pip install "raysearch[praat]"``. Praat (Boersma, Glottal International 2001) comes as
praat-parselmouth, which is under the GPL, version 3 or later: whoever passes on a program with it
inside is bound by that licence, so nothing here needs it unless it is asked for.

Axis letters: N samples, T frames.
"""

from importlib.util import find_spec

import numpy as np

from raysearch.errors import UserError

__all__ = ["VOICE_FUNCTIONALS", "check_praat", "voice_functionals"]

_JITTERS, _SHIMMERS = ("local", "rap", "ppq5"), ("local", "apq3", "apq5")
VOICE_FUNCTIONALS = (
    *(f"jitter_{name}" for name in _JITTERS),
    *(f"shimmer_{name}" for name in _SHIMMERS),
    "hnr_mean",
    "hnr_std",
)
# Praat's own defaults for a pair of periods that counts: shortest and longest (s), the largest
# factor between neighbours and between their amplitudes.
_PERIODS = (0.0001, 0.02, 1.3)
_AMPLITUDES = (*_PERIODS, 1.6)
# What Praat gives for a frame without voice, in decibels.
_NO_VOICE_DB = -200.0
# Of the lowest pitch: what Praat's pitch and harmonicity analyses need, and a little more.
_MIN_PERIODS = 8.0


def check_praat() -> None:
    """Look for the ``parselmouth`` package.

    Raises:
        UserError: it is not installed.
    """
    if find_spec("parselmouth") is None:
        raise UserError(
            'functionals of the group voice need Praat: pip install "raysearch[praat]", or leave'
            " voice out of features' groups"
        )


def voice_functionals(
    waveform_N: np.ndarray, sample_rate: int, f_min: float, f_max: float
) -> np.ndarray:
    """The values of ``VOICE_FUNCTIONALS``, float32; 0 where the voice is too short to tell.

    Args:
        waveform_N: mono samples.
        sample_rate: Hz.
        f_min: lowest pitch, Hz.
        f_max: highest pitch, Hz.
    """
    check_praat()
    # Optional, and half a second: loaded where recordings are measured.
    import parselmouth

    call = parselmouth.praat.call
    missing = max(0, round(_MIN_PERIODS / f_min * sample_rate) - len(waveform_N))
    sound = parselmouth.Sound(np.pad(waveform_N, (0, missing)).astype(np.float64), sample_rate)
    pulses = call(sound, "To PointProcess (periodic, cc)", f_min, f_max)
    whole = (0, 0)
    values = [
        *(call(pulses, f"Get jitter ({name})", *whole, *_PERIODS) for name in _JITTERS),
        *(
            call([sound, pulses], f"Get shimmer ({name})", *whole, *_AMPLITUDES)
            for name in _SHIMMERS
        ),
    ]
    ratio_T = sound.to_harmonicity(minimum_pitch=f_min).values[0]
    ratio_T = ratio_T[ratio_T > _NO_VOICE_DB]
    values += [ratio_T.mean(), ratio_T.std()] if len(ratio_T) else [0.0, 0.0]
    return np.nan_to_num(np.array(values, dtype=np.float32))
