"""librosa, which one process of a machine at a time imports and lets compile.

numba keeps what it compiles for librosa in files that all processes of an installation share. It
reads and writes their index without a lock (``numba.core.caching.IndexDataCacheFile.save``): of two
processes that compile at once, one may take the other's number. From then on every process is given
the code of another function, which ends it by a segmentation fault or gives wrong values, until
somebody deletes the files. The first two tasks of a new installation are two such processes.

Take librosa from here; a lint rule sees to it. What it compiles at the first call of a function is
taken from here as well, and so is pYIN, part of which is compiled for raysearch's own module.
"""

import contextlib
import fcntl
import functools
import importlib
import importlib.util
import os
import tempfile
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import librosa  # whose modules are imported when they are first used
import numpy as np

__all__ = ["load_effects", "load_librosa", "load_pyin", "one_at_a_time"]

_NAME = "raysearch-librosa.lock"
# Hz, whether voiced, and how probably, of each frame.
_Pyin = Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]


@functools.cache
def load_librosa() -> types.ModuleType:
    """``librosa``, whose modules that compile when they are imported are imported here."""
    with one_at_a_time():
        for module in ("librosa.util.utils", "librosa.core.pitch"):
            importlib.import_module(module)
    return librosa


@functools.cache
def load_pyin() -> _Pyin:
    """``librosa.pyin`` with a faster search for the path; it is compiled here, once a process."""
    sequence = load_librosa().sequence
    ours = types.SimpleNamespace(
        transition_local=functools.cache(sequence.transition_local),
        transition_loop=sequence.transition_loop,
        # Imported here: it brings numba, which few processes need.
        viterbi=importlib.import_module("raysearch.features.sparse_viterbi").viterbi,
    )
    # The same code, which finds ours where it looks for librosa's module.
    plain = librosa.pyin
    pyin = types.FunctionType(plain.__code__, {**plain.__globals__, "sequence": ours})
    pyin.__kwdefaults__ = plain.__kwdefaults__
    with one_at_a_time():
        for num_frames in (1, 2):  # arrays of one row have another type
            wave_N = np.sin(np.arange(num_frames * 512, dtype=np.float32))
            pyin(wave_N, sr=8000, fmin=65, fmax=400, frame_length=512, hop_length=512, center=False)
    return pyin


@functools.cache
def load_effects() -> types.ModuleType:
    """``librosa.effects``, whose phase vocoder is compiled here, once a process."""
    effects: types.ModuleType = load_librosa().effects
    with one_at_a_time():
        effects.time_stretch(np.zeros(1024, dtype=np.float32), rate=1.1, n_fft=256)
    return effects


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other process that shares numba's files is inside, and keep others out.

    The lock lies beside numba's files or, where none can be had there, in the temporary folder.
    """
    own = Path(tempfile.gettempdir(), f"{os.getuid()}-{_NAME}")
    with contextlib.ExitStack() as opened:
        for path in (_folder() / _NAME, own):
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                fcntl.flock(opened.enter_context(path.open("w")), fcntl.LOCK_EX)
                break
        yield


def _folder() -> Path:
    """Where numba keeps what it compiles for librosa."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(chosen)
    spec = importlib.util.find_spec("librosa")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "__pycache__"
