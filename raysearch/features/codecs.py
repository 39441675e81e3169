"""What a lossy codec, or a telephone line, leaves of a recording.

The codecs are libsndfile's own. Each works at its own sample rate, whatever the recording's is, so
that a level is the same for every extractor.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # whose subpackages are imported when they are first used
import soundfile

from raysearch.errors import UserError
from raysearch.features.audio import resample

__all__ = ["by_telephone", "lacking_codec", "through_codec"]

BAND_HZ = (300.0, 3400.0)
# Twice, forth and back, so that no frequency is delayed.
BAND_ORDER = 6
LINE_RATE = 8000
# Filters and blocks of a codec need some samples around a short recording.
PAD_S = 0.25


@dataclass(frozen=True, slots=True)
class Codec:
    """How libsndfile writes one codec.

    Attributes:
        container: libsndfile's word for the file's format.
        subtype: its word for the codec.
        sample_rate: Hz.
        compression: 0 is the best quality, 1 the fewest bytes; None where there is no choice.
    """

    container: str
    subtype: str
    sample_rate: int
    compression: float | None = None


def _opus(kbit_s: float) -> Codec:
    # libsndfile spreads 256 to 6 kbit/s over its compression levels.
    return Codec("OGG", "OPUS", 16_000, 1 - (kbit_s - 6) / 250)


CODECS = {
    "opus-24": _opus(24),
    "opus-8": _opus(8),
    "vorbis": Codec("OGG", "VORBIS", 16_000, 1.0),
    "mp3": Codec("MP3", "MPEG_LAYER_III", 16_000, 0.95),
    "a-law": Codec("WAV", "ALAW", LINE_RATE),
    "mu-law": Codec("WAV", "ULAW", LINE_RATE),
    "gsm": Codec("WAV", "GSM610", LINE_RATE),
}


def lacking_codec(level: str) -> str | None:
    """Why this machine cannot code ``level``; None if it can."""
    codec = CODECS[level]
    if soundfile.check_format(codec.container, codec.subtype):
        return None
    version = soundfile.__libsndfile_version__
    return f"libsndfile {version} has no {codec.subtype} in {codec.container}"


def through_codec(
    waveform_N: np.ndarray,
    sample_rate: int,
    level: str,
    seed: int = 0,
    others: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """The recording after it was coded and decoded, as long as before and not moved.

    Args:
        waveform_N: mono float32 samples.
        sample_rate: Hz.
        level: which of ``CODECS``.
        seed: nothing is drawn.
        others: nothing is mixed in.

    Raises:
        UserError: the installed libsndfile lacks the codec.
    """
    codec = _codec("codec", level)
    coded_M = _coded(_at(waveform_N, sample_rate, codec.sample_rate), codec)
    return _back(coded_M, codec.sample_rate, sample_rate, len(waveform_N))


def by_telephone(
    waveform_N: np.ndarray,
    sample_rate: int,
    level: str,
    seed: int = 0,
    others: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """What a telephone line lets pass: 300 to 3400 Hz, at 8 kHz, in ``level``'s 8 bits a sample.

    Raises:
        UserError: the installed libsndfile lacks the codec.
    """
    codec = _codec("telephone", level)
    sections = scipy.signal.butter(BAND_ORDER, BAND_HZ, "bandpass", fs=LINE_RATE, output="sos")
    line_M = scipy.signal.sosfiltfilt(sections, _at(waveform_N, sample_rate, LINE_RATE))
    coded_M = _coded(line_M.astype(np.float32), codec)
    return _back(coded_M, LINE_RATE, sample_rate, len(waveform_N))


def _codec(kind: str, level: str) -> Codec:
    if why := lacking_codec(level):
        raise UserError(f"{kind} {level}: {why}: install a newer soundfile")
    return CODECS[level]


def _at(waveform_N: np.ndarray, sample_rate: int, rate: int) -> np.ndarray:
    """At ``rate``, with silence before and after it."""
    pad = round(PAD_S * sample_rate)
    return resample(np.pad(waveform_N, pad), sample_rate, rate)


def _back(coded_M: np.ndarray, rate: int, sample_rate: int, num_samples: int) -> np.ndarray:
    """At ``sample_rate``, without that silence."""
    pad = round(PAD_S * sample_rate)
    heard_N = resample(coded_M, rate, sample_rate)[pad : pad + num_samples]
    return np.pad(heard_N, (0, num_samples - len(heard_N)))


def _coded(x_M: np.ndarray, codec: Codec) -> np.ndarray:
    """Written to memory and read again; what is louder than full scale is coded softer."""
    scale = max(1.0, float(np.abs(x_M).max(initial=0)))
    # With a constant bit rate libsndfile's MP3 files are decoded a frame too late.
    variable = {"bitrate_mode": "VARIABLE"} if codec.container == "MP3" else {}
    quality = {} if codec.compression is None else {"compression_level": codec.compression}
    file = io.BytesIO()
    with soundfile.SoundFile(
        file,
        "w",
        codec.sample_rate,
        1,
        subtype=codec.subtype,
        format=codec.container,
        **quality,
        **variable,
    ) as target:
        target.write(x_M / scale)
    file.seek(0)
    read_M, _ = soundfile.read(file, dtype="float32")
    found_M: np.ndarray = read_M[: len(x_M)] * np.float32(scale)
    return np.pad(found_M, (0, len(x_M) - len(found_M)))
