"""Optuna's journal file without its waits for the disk."""

import json
import os
from typing import Any

from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from raysearch.patience import no_room, patiently

__all__ = ["UnsyncedJournal"]


class UnsyncedJournal(JournalFileBackend):
    """As Optuna's own, which syncs each of its lines; a proposal is about ten of them.

    What a search must not lose is in its ledger, from which this file is made again.
    """

    def __init__(self, path: str) -> None:
        self._path, self._held = path, JournalFileSymlinkLock(path)
        super().__init__(path, lock_obj=self._held)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write ``logs`` through to the operating system; a full disk is waited for.

        Raises:
            OSError: it stays full, or the system refuses otherwise; nothing was written.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        patiently(lambda: self._append(lines.encode()), no_room)

    def _append(self, lines: bytes) -> None:
        self._held.acquire()
        try:
            size = os.path.getsize(self._path)
            try:
                with open(self._path, "ab") as file:
                    file.write(lines)
            except OSError:
                os.truncate(self._path, size)  # a part of a line would make all unreadable
                raise
        finally:
            self._held.release()
