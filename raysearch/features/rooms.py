"""Recordings as they would be heard in a room: image-source impulse responses by pyroomacoustics.

Each level is one shoebox of its reverberation time, and has a few places for talker and microphone;
a recording's seed says which. The absorption of the walls was fitted so that RT60, by Schroeder's
integration from -5 to -35 dB, is the level's within 6% at every place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyroomacoustics
import scipy  # whose subpackages are imported when they are first used

__all__ = ["PLACES", "ROOMS", "impulse_response", "in_room"]


@dataclass(frozen=True, slots=True)
class Room:
    """A shoebox.

    Attributes:
        size_m: length, width and height.
        absorption: of the energy, by each wall.
        max_order: reflections that are followed.
    """

    size_m: tuple[float, float, float]
    absorption: float
    max_order: int


ROOMS = {
    "0.3": Room((5.0, 4.0, 2.7), 0.3257, 26),
    "0.6": Room((7.0, 5.0, 3.0), 0.23, 36),
    "1.0": Room((10.0, 7.0, 3.5), 0.1997, 48),
}
# Talker and microphone, as shares of the room's length, width and height.
PLACES = (
    ((0.30, 0.37, 0.55), (0.60, 0.55, 0.45)),
    ((0.62, 0.30, 0.60), (0.35, 0.60, 0.50)),
    ((0.25, 0.70, 0.50), (0.55, 0.35, 0.55)),
    ((0.70, 0.66, 0.58), (0.40, 0.45, 0.42)),
)


def in_room(
    waveform_N: np.ndarray,
    sample_rate: int,
    level: str,
    seed: int,
    others: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """The recording in the room of ``level``: as long and as loud (RMS) as before, and not moved.

    Args:
        waveform_N: mono float32 samples.
        sample_rate: Hz.
        level: which of ``ROOMS``.
        seed: chooses the place.
        others: nothing is mixed in.
    """
    place = int(np.random.default_rng(seed).integers(len(PLACES)))
    response_M = impulse_response(level, place, sample_rate)
    heard_N: np.ndarray = scipy.signal.fftconvolve(waveform_N, response_M)[: len(waveform_N)]
    before, after = (float(np.mean(np.square(x_N, dtype=float))) for x_N in (waveform_N, heard_N))
    scale: float = np.sqrt(before / after if after > 0 else 1.0)
    return heard_N * scale


@lru_cache(maxsize=64)
def impulse_response(level: str, place: int, sample_rate: int) -> np.ndarray:
    """From the direct sound on, which is 1 at sample 0.

    Args:
        level: which of ``ROOMS``.
        place: which of ``PLACES``.
        sample_rate: Hz.
    """
    # In several threads its sums depend on how many there are.
    pyroomacoustics.constants.set("num_threads", 1)
    room, speed = ROOMS[level], pyroomacoustics.constants.get("c")
    talker, microphone = (np.array(share) * room.size_m for share in PLACES[place])
    # The direct sound takes a whole number of samples, so that cutting before it cuts nothing off.
    distance = float(np.linalg.norm(microphone - talker))
    num_samples = round(distance * sample_rate / speed)
    microphone = talker + (microphone - talker) * (num_samples * speed / sample_rate / distance)
    walls = pyroomacoustics.Material(room.absorption)
    shoebox = pyroomacoustics.ShoeBox(
        room.size_m, fs=sample_rate, materials=walls, max_order=room.max_order
    )
    shoebox.add_source(talker)
    shoebox.add_microphone(microphone)
    shoebox.compute_rir()
    start = num_samples + pyroomacoustics.constants.get("frac_delay_length") // 2
    response_M = np.asarray(shoebox.rir[0][0][start:], dtype=np.float64)
    found_M: np.ndarray = response_M / response_M[0]
    return found_M
