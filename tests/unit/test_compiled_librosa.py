"""librosa's compiled code: processes that share its files make them one after the other."""

import fcntl
import os
import subprocess
import sys

import pytest

from raysearch.features.compiled_librosa import one_at_a_time

PITCH = """
import numpy as np
from raysearch.features.prosody import ProsodyConfig, pitch_curves
from raysearch.features.waveform_augment import apply_cell
wave = np.sin(np.arange(8000, dtype=np.float32) / 8)
curves = pitch_curves(wave, ProsodyConfig())
print(curves.pitch_T.sum(), apply_cell(wave, 16000, "pitch:2", 0).sum(), flush=True)
"""


def locked(path):
    """Whether somebody else has the lock."""
    file = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def test_only_one_is_inside(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    with one_at_a_time():
        (file,) = (tmp_path / "numba").iterdir()
        assert locked(file)
    assert not locked(file)


def test_beside_files_that_nobody_may_write_the_lock_is_in_the_temporary_folder(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/proc/no/such/folder")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with one_at_a_time():
        (file,) = tmp_path.iterdir()
        assert locked(file)


@pytest.mark.slow
def test_two_new_processes_compile_nothing_twice_and_have_equal_values(tmp_path):
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DEBUG_CACHE": "1"}
    both = [
        subprocess.Popen([sys.executable, "-c", PITCH], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    printed = [one.communicate(timeout=300)[0].splitlines() for one in both]
    assert printed[0][-1] == printed[1][-1]
    compiled = [line for lines in printed for line in lines if "data saved" in line]
    assert len(compiled) == len(set(compiled)) > 10
