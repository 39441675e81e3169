"""Ends what a killed driver leaves behind; a process of its own, of the standard library alone.

Ray's node agents notice that their node is gone, then spend a minute on telling a server that is
gone too. Whoever started them is dead, so this watches for it: a pipe from the driver that ends
without a farewell means that the driver was killed, and what it had started is ended by process
id, after a short time to go by itself.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["kill_with_driver"]

GRACE_S = 5.0
FAREWELL = b"ended by itself"


@contextlib.contextmanager
def kill_with_driver(pids: list[int]) -> Iterator[None]:
    """End ``pids`` if this process is killed inside the ``with``."""
    named = [f"{pid}:{started}" for pid in pids if (started := _started(pid))]
    # In a session of its own: a Ctrl-C in the terminal is the driver's to answer.
    watcher = subprocess.Popen(
        [sys.executable, "-E", "-S", __file__, *named],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield
    finally:
        with contextlib.suppress(BrokenPipeError):
            watcher.communicate(FAREWELL)


def _started(pid: int) -> str | None:
    """When ``pid`` began, in the kernel's ticks: a process id alone may be another's by now."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] == b"Z" else fields[19].decode()


def _main() -> None:
    if sys.stdin.buffer.read() == FAREWELL:
        return
    time.sleep(GRACE_S)
    for name in sys.argv[1:]:
        pid, started = name.split(":")
        if _started(int(pid)) == started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


if __name__ == "__main__":
    _main()
