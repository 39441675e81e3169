"""librosa, which one process of a machine at a time imports and lets compile.

numba keeps what it compiles for librosa in files that all processes of an installation share. It
reads and writes their index without a lock (``numba.core.caching.IndexDataCacheFile.save``): of two
processes that compile at once, one may take the other's number. From then on every process is given
the code of another function, which ends it by a segmentation fault or gives wrong values, until
somebody deletes the files. The first two tasks of a new installation are two such processes.

Take librosa from here; a lint rule sees to it. What it compiles at the first call of a function is
taken from here as well.
"""

import contextlib
import fcntl
import functools
import importlib
import importlib.util
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import librosa  # whose modules are imported when they are first used
import numpy as np

__all__ = ["load_effects", "load_librosa", "load_pyin", "one_at_a_time"]

_NAME = "raysearch-librosa.lock"


@functools.cache
def load_librosa() -> ModuleType:
    """``librosa``, whose modules that compile when they are imported are imported here."""
    with one_at_a_time():
        for module in ("librosa.util.utils", "librosa.core.pitch"):
            importlib.import_module(module)
    return librosa


@functools.cache
def load_pyin() -> Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """``librosa.pyin``, which is compiled here, once a process."""
    load_librosa()
    with one_at_a_time():
        for num_frames in (1, 2):  # arrays of one row have another type
            wave_N = np.sin(np.arange(num_frames * 512, dtype=np.float32))
            librosa.pyin(
                wave_N, sr=8000, fmin=65, fmax=400, frame_length=512, hop_length=512, center=False
            )
    pyin: Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]] = librosa.pyin
    return pyin


@functools.cache
def load_effects() -> ModuleType:
    """``librosa.effects``, whose phase vocoder is compiled here, once a process."""
    effects: ModuleType = load_librosa().effects
    with one_at_a_time():
        effects.time_stretch(np.zeros(1024, dtype=np.float32), rate=1.1, n_fft=256)
    return effects


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other process that shares numba's files is inside, and keep others out.

    Where files cannot be locked, as on some network file systems, nobody waits.
    """
    with _opened() as file:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _opened() -> Iterator[int]:
    """The lock's file: beside numba's, or where it cannot be, in the user's temporary folder."""
    own = Path(tempfile.gettempdir(), f"{os.getuid()}-{_NAME}")
    for path in (_folder() / _NAME, own):
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            break
    else:
        file = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)  # which gives the lock back


def _folder() -> Path:
    """Where numba keeps what it compiles for librosa."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen)
    spec = importlib.util.find_spec("librosa")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "__pycache__"
