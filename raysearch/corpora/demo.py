"""The embedded corpus: 384 synthetic utterances, so that everything runs without a download.

12 actors x 8 emotions x 2 statements x 2 repetitions, named and laid out as RAVDESS, spoken by
espeak-ng. It is a **caricature**: rules for pitch, range, rate, loudness, brightness and tremor
after textbook descriptions of vocal emotion (Scherer 2003, table 2), blurred by what real
speakers do differently. It shows that the machinery works; a score on it says nothing about
people.

The blur decides the difficulty. An actor carries every rule to a personal degree and shifts it by
personal habits; each utterance adds its own jitter, level and background noise. On unseen actors a
support vector machine on pooled log-mel features reaches UA 0.58 (chance: 0.125).
"""

import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import soundfile

from raysearch.config.identity import seed_from
from raysearch.corpora.espeak import Line, speak
from raysearch.corpora.ravdess import EMOTIONS, STATEMENTS, Ravdess
from raysearch.errors import ConfigError

__all__ = ["Demo", "synthesise"]

_VERSION = 1
_NUM_REPETITIONS = 2


@dataclass(frozen=True, slots=True)
class _Prosody:
    """Deviations from an actor's neutral speech.

    Attributes:
        pitch: espeak's pitch steps (0 to 100).
        pitch_range: espeak's range steps (0 to 100).
        rate: words a minute.
        level_db: dB.
        brightness: first-difference weight: above 0 the spectrum tilts up, below 0 down.
        tremor: depth of a 6 Hz tremolo, 0 to 1.
        fall_db: dB lost from the utterance's start to its end.
    """

    pitch: float
    pitch_range: float
    rate: float
    level_db: float
    brightness: float
    tremor: float
    fall_db: float


_RULES = {
    "neutral": _Prosody(0, 0, 0, 0, 0.0, 0.0, 2),
    "calm": _Prosody(-6, -12, -18, -4, -0.25, 0.0, 4),
    "happy": _Prosody(14, 26, 18, 4, 0.2, 0.0, 0),
    "sad": _Prosody(-12, -26, -38, -7, -0.4, 0.15, 8),
    "angry": _Prosody(6, 14, 32, 9, 0.5, 0.0, -3),
    "fearful": _Prosody(24, -6, 48, 0, 0.15, 0.55, 0),
    "disgust": _Prosody(-14, 8, -26, 2, 0.3, 0.0, -5),
    "surprised": _Prosody(30, 44, 0, 5, 0.05, 0.0, -6),
}
# Standard deviations of an actor's habit in one emotion, and of one utterance's jitter.
_HABIT = _Prosody(3, 5, 7, 1.2, 0.06, 0.04, 1.2)
_JITTER = _Prosody(4, 7, 9, 1.6, 0.08, 0.05, 2)
_DEGREE = (0.8, 1.2)


@dataclass(frozen=True, slots=True)
class _Actor:
    """A voice: odd numbers male, even ones female, as in RAVDESS."""

    voice: str
    pitch: int
    rate: int


_ACTORS = (
    _Actor("m1", 44, 165),
    _Actor("f1", 44, 170),
    _Actor("m3", 50, 180),
    _Actor("f2", 52, 160),
    _Actor("m7", 40, 158),
    _Actor("f3", 46, 176),
    _Actor("m4", 48, 172),
    _Actor("f4", 50, 166),
    _Actor("Andy", 42, 185),
    _Actor("f5", 40, 182),
    _Actor("m6", 54, 162),
    _Actor("Annie", 48, 174),
)


@dataclass(frozen=True, slots=True)
class _Take:
    """One utterance to make: where it goes, what is spoken, and its deviations."""

    stem: str
    actor: str
    line: Line
    prosody: _Prosody


class Demo(Ravdess):
    """The demo corpus, read by RAVDESS's own parser."""

    name = "demo"
    licence = "Demo corpus: synthesised by espeak-ng; a caricature, of no use on real speech."
    distributed = False
    original_rate = None

    def locate(self, data: str | None, storage: Path) -> Path:
        """The corpus' folder below ``storage``, made on first use.

        Raises:
            ConfigError: ``data`` is given.
            DataError: espeak-ng failed.
        """
        if data is not None:
            raise ConfigError(
                f"--data {data}: the demo corpus makes its own audio;"
                " name the corpus with --corpus, or leave --data out"
            )
        return synthesise(storage)


def synthesise(storage: Path) -> Path:
    """The folder of the demo corpus below ``storage``: ``.corpora/demo-v<version>``.

    It appears whole, by one rename, and is used again; every call on one machine gives the same
    bytes.

    Raises:
        DataError: espeak-ng failed.
    """
    parent = storage.expanduser().resolve() / ".corpora"
    target = parent / f"demo-v{_VERSION}"
    takes = list(_takes())
    if _is_whole(target, takes):
        return target
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".demo-", dir=parent) as folder:
        made = Path(folder) / "audio"
        _write(takes, made)
        if not _is_whole(target, takes):
            shutil.rmtree(target, ignore_errors=True)
            try:
                made.rename(target)
            except OSError:
                # Another process published the same bytes first.
                if not _is_whole(target, takes):
                    raise
    return target


def _is_whole(folder: Path, takes: list[_Take]) -> bool:
    return all((folder / take.actor / f"{take.stem}.wav").is_file() for take in takes)


def _takes() -> Iterator[_Take]:
    for number, actor in enumerate(_ACTORS, start=1):
        habits = random.Random(seed_from("demo", _VERSION, number))
        degree = habits.uniform(*_DEGREE)
        for code, emotion in EMOTIONS.items():
            usual = _blurred(_scaled(_RULES[emotion], degree), _HABIT, habits)
            for statement, text in STATEMENTS.items():
                for repetition in range(1, _NUM_REPETITIONS + 1):
                    stem = f"03-01-{code}-01-{statement}-{repetition:02}-{number:02}"
                    jitter = random.Random(seed_from("demo", _VERSION, stem))
                    prosody = _blurred(usual, _JITTER, jitter)
                    line = _line(actor, text, prosody)
                    yield _Take(stem, f"Actor_{number:02}", line, prosody)


def _scaled(prosody: _Prosody, degree: float) -> _Prosody:
    return _Prosody(*(degree * value for value in astuple(prosody)))


def _blurred(prosody: _Prosody, spread: _Prosody, rng: random.Random) -> _Prosody:
    pairs = zip(astuple(prosody), astuple(spread), strict=True)
    return _Prosody(*(rng.gauss(value, deviation) for value, deviation in pairs))


def _line(actor: _Actor, text: str, prosody: _Prosody) -> Line:
    return Line(
        voice=f"en-us+{actor.voice}",
        text=text,
        rate=round(min(max(actor.rate + prosody.rate, 100), 260)),
        pitch=round(min(max(actor.pitch + prosody.pitch, 0), 100)),
        pitch_range=round(min(max(50 + prosody.pitch_range, 0), 100)),
    )


def _write(takes: list[_Take], folder: Path) -> None:
    rate, spoken = speak([take.line for take in takes])
    for take, samples in zip(takes, spoken, strict=True):
        path = folder / take.actor / f"{take.stem}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed_from("demo", _VERSION, take.stem, "noise"))
        pcm = _performed(samples / 32768, rate, take.prosody, rng)
        soundfile.write(path, pcm, rate, subtype="PCM_16")


def _performed(
    speech_N: np.ndarray, rate: int, prosody: _Prosody, rng: np.random.Generator
) -> np.ndarray:
    """``speech_N`` (-1 to 1) with tilt, tremor, level and room noise, as int16 (N',)."""
    time_N = np.arange(len(speech_N)) / rate
    brightness = np.clip(prosody.brightness, -0.8, 0.8)
    tilted_N = speech_N - brightness * np.concatenate([[0.0], speech_N[:-1]])
    tilted_N *= 0.05 / np.sqrt(np.mean(tilted_N**2))
    tremor = np.clip(prosody.tremor, 0.0, 0.8)
    tremolo_N = 1 - tremor * (0.5 + 0.5 * np.sin(2 * np.pi * 6 * time_N))
    level_N = prosody.level_db - prosody.fall_db * (time_N / time_N[-1] - 0.5)
    loud_N = tilted_N * tremolo_N * 10 ** (level_N / 20)
    before, after = (int(rate * seconds) for seconds in rng.uniform(0.1, 0.35, 2))
    padded_N = np.pad(loud_N, (before, after))
    noise_db = rng.uniform(-62, -48)
    noisy_N = padded_N + rng.standard_normal(len(padded_N)) * 10 ** (noise_db / 20)
    return np.asarray(np.round(np.clip(noisy_N, -0.99, 0.99) * 32767), dtype=np.int16)
