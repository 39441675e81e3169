"""Whether a submitted search was accepted: its settings, data and storage, and the run its own."""

import json
from collections.abc import Callable
from pathlib import Path

from raysearch.errors import RaysearchError
from raysearch.service.jobs import Job
from raysearch.storage.objects import ObjectStore, is_url

__all__ = ["Acceptance"]

# The log's word for it, where this machine cannot read the run or an earlier version writes it.
SAID = "run: "


class Acceptance:
    """Looks for the mark in a job's record, in the storage of its run.

    Args:
        job: the submission.
    """

    def __init__(self, job: Job) -> None:
        self._read = _reader(job.storage, f"{job.run}/jobs/{job.submission}.json")

    def given(self, log: str) -> bool:
        """Tell whether the job was accepted by now.

        Args:
            log: all that it has printed.
        """
        return self._marked() or any(line.startswith(SAID) for line in log.splitlines())

    def _marked(self) -> bool:
        try:
            record = json.loads(self._read() or b"{}")
        except (RaysearchError, OSError, ValueError):  # it may be away, or be read while it changes
            return False
        return isinstance(record, dict) and record.get("accepted") is True


def _reader(storage: str, key: str) -> Callable[[], bytes | None]:
    """A function that reads the record; it gives None where this machine does not see it."""
    if not is_url(storage):
        path = Path(storage, key)
        return lambda: path.read_bytes() if path.is_file() else None
    try:
        store = ObjectStore(storage)
        store.reach()
    except RaysearchError:  # the nodes have credentials that this machine lacks
        return lambda: None

    def read() -> bytes | None:
        found = store.read(key)
        return None if found is None else found.data

    return read
