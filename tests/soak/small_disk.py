"""A small file system that can be filled to its last byte."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["SmallDisk"]

SIZE = "256m"
REFILL_S = 0.1


class SmallDisk:
    """Mounted at ``folder``, which is made; it goes with the mount namespace."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True)
        self.folder = folder

    @contextmanager
    def full(self) -> Iterator[None]:
        """Nothing can be written inside the ``with``, whatever others remove meanwhile."""
        ballast, over = self.folder / "ballast", threading.Event()
        filler = threading.Thread(target=_fill, args=(ballast, over), name="filler")
        filler.start()
        try:
            yield
        finally:
            over.set()
            filler.join()
            ballast.unlink()


def _fill(ballast: Path, over: threading.Event) -> None:
    block = bytes(4096)
    with ballast.open("wb", buffering=0) as file:
        while not over.is_set():
            with suppress(OSError):
                while not over.is_set():
                    file.write(block)
            over.wait(REFILL_S)
