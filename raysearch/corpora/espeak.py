"""Speech from espeak-ng, in a process of its own.

The library keeps global state that no call resets, so the same line sounds slightly different
after another one: a fresh process that speaks the whole list in order gives the same samples
each time, and leaves nothing loaded in the caller.
"""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np

from raysearch.errors import DataError

__all__ = ["Line", "speak"]

# Numbers of espeak-ng's speak_lib.h, API version 12.
_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
_PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3, "pitch_range": 4}
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)
_SEED = 1
_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence to speak.

    Attributes:
        voice: language and variant, such as ``"en-us+f3"``.
        text: the sentence.
        rate: words a minute, 80 to 450.
        pitch: base pitch, 0 to 100; 50 is the voice's own.
        pitch_range: 0 (monotone) to 100; 50 is the voice's own.
        volume: 0 to 200; 100 is normal.
    """

    voice: str
    text: str
    rate: int
    pitch: int
    pitch_range: int
    volume: int = 100


def speak(lines: Sequence[Line]) -> tuple[int, list[np.ndarray]]:
    """The lines' sample rate in Hz, and each one's samples, int16 mono.

    Raises:
        DataError: espeak-ng failed; the message holds its last words.
    """
    package_parent = str(Path(__file__).resolve().parents[2])
    search = [package_parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        child = subprocess.run(
            [sys.executable, "-m", "raysearch.corpora.espeak"],
            input=json.dumps([asdict(line) for line in lines]).encode(),
            capture_output=True,
            timeout=_TIMEOUT_S,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(search)},
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"espeak-ng said nothing for {_TIMEOUT_S} s") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise DataError(f"espeak-ng ended with {error.returncode}: {said[-1]}") from error
    head, _, samples = child.stdout.partition(b"\n")
    rate, lengths = json.loads(head)
    ends = np.cumsum(lengths)[:-1]
    return rate, np.split(np.frombuffer(samples, "<i2"), ends)


def _main() -> None:
    lines = [Line(**line) for line in json.load(sys.stdin)]
    library, rate = _start()
    spoken = list(_samples(library, lines))
    head = json.dumps([rate, [len(samples) // 2 for samples in spoken]])
    sys.stdout.buffer.write(b"\n".join([head.encode(), b"".join(spoken)]))


def _start() -> tuple[Any, int]:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    rate = library.espeak_Initialize(_SYNCHRONOUS, 200, data, _DO_NOT_EXIT)
    if rate <= 0:
        raise RuntimeError("espeak-ng does not find its data")
    # Breath and flutter are random, and seeded by the clock unless told otherwise.
    library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
    return library, rate


def _samples(library: Any, lines: Sequence[Line]) -> Iterator[bytes]:
    """Each line's samples, int16 little-endian."""
    blocks: list[bytes] = []

    def receive(samples: Any, num_samples: int, events: int | None) -> int:
        del events
        if samples and num_samples > 0:
            blocks.append(ctypes.string_at(samples, 2 * num_samples))
        return 0

    # espeak-ng keeps only the address: the name keeps the object alive.
    callback = _CALLBACK(receive)
    library.espeak_SetSynthCallback(callback)
    for line in lines:
        blocks.clear()
        _check(library.espeak_SetVoiceByName(line.voice.encode()), f"voice {line.voice}")
        for name, number in _PARAMETERS.items():
            _check(library.espeak_SetParameter(number, getattr(line, name), 0), name)
        text = line.text.encode() + b"\0"
        size = ctypes.c_size_t(len(text))
        where = (_POSITION_CHARACTER, 0, _CHARS_UTF8, None, None)
        _check(library.espeak_Synth(text, size, 0, *where), line.text)
        yield b"".join(blocks)


def _check(status: int, what: str) -> None:
    if status != 0:
        raise RuntimeError(f"refused {what} (status {status})")


if __name__ == "__main__":
    _main()
