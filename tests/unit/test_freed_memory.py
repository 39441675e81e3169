import platform
import resource
import subprocess
import sys

import pytest

from raysearch.workers.freed_memory import keep_freed_memory

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")

# Blocks as a step takes them: several that live together, then all are freed.
STEPS = """
import resource, sys
import numpy as np
from raysearch.workers.freed_memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def step():
    return sum(int(one[0]) for one in [np.ones(5 << 20, np.uint8) for _ in range(8)])
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def new_pages(how: str) -> int:
    """How many pages ten steps get from the kernel."""
    done = subprocess.run(
        [sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@glibc
def test_a_step_uses_the_pages_of_the_step_before() -> None:
    pages_of_a_step = 8 * (5 << 20) // resource.getpagesize()
    assert new_pages("kept") < pages_of_a_step < new_pages("given back")


def test_a_c_library_without_these_settings_is_left_alone(monkeypatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert keep_freed_memory() is False
