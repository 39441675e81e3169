"""Babble: several training speakers who talk at once, behind a test recording.

Who talks is drawn by the test recording's content and the training rows: the same at every level,
and for every system that learned from these rows.
"""

from collections.abc import Sequence

import numpy as np

from raysearch.config.identity import seed_from, stable_hash
from raysearch.corpora.utterance import Utterance
from raysearch.features.waveform_augment import active_power

__all__ = ["marked", "talkers_of", "training_talkers", "with_babble"]

NUM_TALKERS = 6


def training_talkers(
    train: Sequence[Utterance], test: Sequence[Utterance]
) -> tuple[Utterance, ...]:
    """The training rows whose speakers are no test speakers, sorted by content.

    Under the protocol ``paper``, and where one speaker is on both sides, that can be none.
    """
    tested = {_speaker(row) for row in test}
    kept = {row.content_hash: row for row in train if _speaker(row) not in tested}
    return tuple(kept[key] for key in sorted(kept))


def marked(cell: str, pool: Sequence[Utterance]) -> str:
    """The cell's name with a mark of ``pool`` behind it: another fold's babble is another cell."""
    return f"{cell}:{stable_hash([row.content_hash for row in pool])}"


def talkers_of(content_hash: str, pool: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """Those of ``pool`` who talk behind the recording: of as many speakers as there are, at most 6.

    Args:
        content_hash: of the test recording.
        pool: as ``training_talkers`` gives it.
    """
    rng = np.random.default_rng(seed_from("talkers", content_hash))
    by_speaker: dict[tuple[str, str], list[Utterance]] = {}
    for row in pool:
        by_speaker.setdefault(_speaker(row), []).append(row)
    speakers = sorted(by_speaker)
    turns = [speakers[k] for k in rng.permutation(len(speakers))]
    # Where there are fewer speakers than talkers, some talk twice, in other recordings.
    left = {name: list(rng.permutation(len(rows))) for name, rows in sorted(by_speaker.items())}
    chosen: list[Utterance] = []
    while len(chosen) < NUM_TALKERS and any(left.values()):
        for name in turns:
            if left[name] and len(chosen) < NUM_TALKERS:
                chosen.append(by_speaker[name][left[name].pop()])
    return tuple(chosen)


def with_babble(
    waveform_N: np.ndarray, sample_rate: int, level: str, seed: int, others: Sequence[np.ndarray]
) -> np.ndarray:
    """The recording with ``others`` behind it, all equally loud, at the SNR ``level`` in dB.

    The SNR is that of the recording's sounding frames to the whole babble, as for white noise.
    Each talker begins somewhere in its recording, and says it again where it is too short.

    Args:
        waveform_N: mono float32 samples.
        sample_rate: Hz.
        level: the SNR.
        seed: of the talkers' beginnings.
        others: the talkers' recordings at the same rate.
    """
    rng = np.random.default_rng(seed)
    babble_N = np.zeros(len(waveform_N))
    for other_M in others:
        start = int(rng.integers(len(other_M)))
        loudness = np.sqrt(active_power(other_M, sample_rate))
        if loudness > 0:
            told_M = np.roll(other_M, -start) / loudness
            babble_N += np.resize(told_M, len(waveform_N))
    power = float(np.mean(np.square(babble_N)))
    if power == 0:
        return waveform_N
    wanted = active_power(waveform_N, sample_rate) / 10 ** (float(level) / 10)
    scale: float = np.sqrt(wanted / power)
    return waveform_N + babble_N * scale


def _speaker(row: Utterance) -> tuple[str, str]:
    return row.corpus, row.speaker
