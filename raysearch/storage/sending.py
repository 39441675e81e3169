"""A run's small files, sent while the search goes on."""

import logging
import threading
from pathlib import Path

from raysearch.errors import RaysearchError
from raysearch.storage.two_kinds import storage_of

__all__ = ["BackgroundSender"]

logger = logging.getLogger("ray.raysearch")

DEADLINE_S = 30.0


class BackgroundSender:
    """Sends what changed whenever it is rung, in a thread of its own: no trial waits for it.

    What it sends can be made again from the ledger, and is sent a last time when the run is let
    go, so an error is told and the next ring tries again.

    Args:
        folder: the run's; its files as they are now are sent before this returns, so that a
            search that dies early can be resumed.
    """

    def __init__(self, folder: Path) -> None:
        self._sender = storage_of(folder).sync(folder)
        self._sender.send()
        self._rung, self._done = threading.Event(), False
        self._thread = threading.Thread(target=self._serve, name="file sender", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        """Say that files have changed; what changes while files are sent is sent together."""
        self._rung.set()

    def close(self) -> None:
        """Send no more; what is under way may take until the deadline."""
        self._done = True
        self._rung.set()
        self._thread.join(DEADLINE_S)

    def _serve(self) -> None:
        while self._rung.wait() and not self._done:
            self._rung.clear()
            try:
                self._sender.send()
            except (RaysearchError, OSError) as error:
                logger.warning("sending files: %s", error)
