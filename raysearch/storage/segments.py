"""A ledger in an object store: numbered segments that never change, and a local file of them all.

Objects cannot be appended to. Each segment ``<run>/ledger/<first seq>.jsonl`` holds the lines since
the one before and is put only if there is none of that number, so two drivers can never both write
what comes next. What must survive is sent at once; epochs may wait for the next line, as a trial
goes on from its last checkpoint anyway.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from raysearch.errors import DataError, InfrastructureError, StorageRefusedError
from raysearch.files import write_text
from raysearch.ledger import Event, Ledger, parse_event
from raysearch.patience import patiently
from raysearch.storage.lease import current_fence
from raysearch.storage.objects import ObjectStore

__all__ = ["SegmentLedger", "fetch_ledger"]

FLUSH_S = 2.0


class SegmentLedger:
    """As :class:`raysearch.ledger.Ledger`, kept in ``objects`` as well.

    Attributes:
        message: what was repaired when the ledger was opened, or None.
    """

    def __init__(self, local: Ledger, objects: ObjectStore, run: str) -> None:
        self._local, self._objects, self._run = local, objects, run
        self.message = local.message
        self._waiting: list[Event] = []
        self._sent_at = time.monotonic()

    @classmethod
    def open(cls, path: Path, fence: int, objects: ObjectStore, run: str) -> "SegmentLedger":
        """Bring ``path`` to what ``objects`` has, and go on from there.

        Raises:
            InfrastructureError: a later driver has written, or the storage cannot be reached.
            DataError: a damaged segment.
        """
        fetch_ledger(objects, run, path)
        return cls(Ledger.open(path, fence), objects, run)

    @property
    def events(self) -> Sequence[Event]:
        """Every event so far, those of earlier drivers included."""
        return self._local.events

    def append(
        self,
        event: str,
        *,
        trial: str,
        number: int,
        attempt: int,
        slot: int | None = None,
        sync: bool = False,
        **data: Any,
    ) -> Event:
        """As :meth:`raysearch.ledger.Ledger.append`."""
        entry = self._local.append(
            event, trial=trial, number=number, attempt=attempt, slot=slot, sync=sync, **data
        )
        self._waiting.append(entry)
        waited = time.monotonic() - self._sent_at > FLUSH_S
        if sync or waited or event != "epoch":
            self.flush()
        return entry

    def flush(self) -> None:
        """Send what waits.

        Raises:
            InfrastructureError: another driver has written, or the storage cannot be reached.
        """
        if not self._waiting:
            return
        patiently(self._send, lambda error: isinstance(error, StorageRefusedError))
        self._waiting.clear()
        self._sent_at = time.monotonic()

    def _send(self) -> None:
        """Put the segment of what waits, unless a later driver has the run.

        A driver that slept through its successor's beginning may have put one of that number
        before its fence was looked at: what it says is void, and the later fence's takes its place.
        """
        if (current_fence(self._objects, self._run) or 0) > self._local.fence:
            raise InfrastructureError(f"{self._objects.url}/{self._run}: another driver has it")
        key = _key(self._run, self._waiting[0].seq)
        lines = b"".join(event.to_line() for event in self._waiting)
        if self._objects.create(key, lines) is not None:
            return
        there = self._objects.read(key)
        # Ours, if a put succeeded whose answer was lost; each line tells its writer's fence.
        if there is not None and there.data == lines:
            return
        if there is None or not self._is_void(key, there.data):
            raise InfrastructureError(f"{self._objects.url}/{key}: another driver has written it")
        if self._objects.swap(key, lines, there.tag) is None:
            raise InfrastructureError(f"{self._objects.url}/{key}: another driver writes it")

    def _is_void(self, key: str, lines: bytes) -> bool:
        place = f"{self._objects.url}/{key}"
        events = [parse_event(line, place) for line in lines.splitlines()]
        return all(event.fence < self._local.fence for event in events)

    def close(self) -> None:
        """Send what waits and let the file go. Twice is fine."""
        self.flush()
        self._local.close()


def fetch_ledger(objects: ObjectStore, run: str, path: Path) -> None:
    """Make ``path`` hold every line that ``objects`` has of the run; the objects are the truth.

    Lines of a driver after those of its successor are void.

    Raises:
        DataError: a damaged line, or a segment that is missing; names the segment.
    """
    lines, expected, fence = list[bytes](), 1, 0
    for key in objects.keys(f"{run}/ledger"):
        segment = objects.read(key)
        assert segment is not None
        for line in segment.data.splitlines(keepends=True):
            event = parse_event(line, f"{objects.url}/{key}")
            if event.fence < fence:
                continue
            if event.seq != expected:
                raise DataError(f"{objects.url}/{key}: event {event.seq}, expected {expected}")
            lines.append(line)
            expected, fence = expected + 1, event.fence
    if not lines:
        path.unlink(missing_ok=True)  # lines that never got there would leave a gap
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, b"".join(lines).decode())


def _key(run: str, seq: int) -> str:
    return f"{run}/ledger/{seq:09d}.jsonl"
