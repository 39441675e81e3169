"""A ledger in an object store: numbered segments that never change, and a local file of them all.

Objects cannot be appended to. Each segment ``<run>/ledger/<first seq>.jsonl`` holds the lines since
the one before and is put only if there is none of that number, so two drivers can never both write
what comes next. What must survive is sent at once, but nobody waits for it: what counts on it is
put ``after`` it. Epochs may wait for the next line, as a trial goes on from its last checkpoint
anyway.

Every dozen segments are united with the large one before them into
``<first seq>-<last seq>.jsonl``, and then removed: a search of many hours is read by a few
requests. A driver unites only what it had sent before it last saw that the run is its own. A
successor has read all of that and writes what comes after it, so nothing of its is ever removed.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from raysearch.errors import DataError, InfrastructureError, RaysearchError, StorageRefusedError
from raysearch.files import write_text
from raysearch.ledger import Event, Ledger, parse_event
from raysearch.patience import patiently
from raysearch.storage.mirror import fetch_changed
from raysearch.storage.object_lease import current_fence
from raysearch.storage.objects import ObjectStore
from raysearch.storage.outbox import Outbox

__all__ = ["SegmentLedger", "fetch_ledger"]

FLUSH_S = 2.0
# What one decision has written goes as one segment.
GATHER_S = 0.1
# So many segments are united into one, and it grows up to so many bytes before the next is begun.
MOST_SMALL, LARGE_BYTES = 12, 4 << 20
# Reading begins anew if segments are united meanwhile.
MOST_READS = 5
FOLDER, RECORD = ".segments", "fetched.json"


class SegmentLedger:
    """A ledger that is kept in ``objects`` as well as in a local file.

    Attributes:
        message: what was repaired when the ledger was opened, or None.
    """

    def __init__(self, local: Ledger, objects: ObjectStore, run: str) -> None:
        self._local, self._objects, self._run = local, objects, run
        self.message = local.message
        self._waiting: list[Event] = []
        self._outbox, self._hurry, self._asked = Outbox(), threading.Event(), False
        self._asking = threading.RLock()
        self._sent_at = time.monotonic()
        self._sent = len(local.events)
        self._small, self._begin = list[str](), 1

    @classmethod
    def open(cls, path: Path, fence: int, objects: ObjectStore, run: str) -> "SegmentLedger":
        """Bring ``path`` to what ``objects`` has, and go on from there.

        Raises:
            InfrastructureError: a later driver has written, or the storage cannot be reached.
            DataError: a damaged segment.
        """
        keys = fetch_ledger(objects, run, path)
        ledger = cls(Ledger.open(path, fence), objects, run)
        ledger._begin_after(keys)
        return ledger

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
        """Append an event as :meth:`raysearch.ledger.Ledger.append` does; it is sent later.

        Raises:
            InfrastructureError: what was appended before could not be sent, too.
        """
        self._outbox.check()
        entry = self._local.append(
            event, trial=trial, number=number, attempt=attempt, slot=slot, sync=sync, **data
        )
        self._waiting.append(entry)
        waited = time.monotonic() - self._sent_at > FLUSH_S
        if sync or waited or event != "epoch":
            self._send_soon()
        return entry

    def after(self, act: Callable[[], None]) -> None:
        """Have ``act`` carried out once what was appended so far is in the store.

        Once another driver has the run it is not, and the next call here raises that.
        """

        def do() -> None:
            _unless_refused(self._ensure_own)
            act()

        with self._asking:
            self._send_soon()
            self._outbox.put(do)

    def flush(self) -> None:
        """Wait until what was appended is in the store, and done what was put after it.

        Raises:
            InfrastructureError: another driver has written, or the storage cannot be reached.
        """
        self._hurry.set()
        try:
            self._send_soon()
            self._outbox.drain()
        finally:
            self._hurry.clear()

    def _send_soon(self) -> None:
        with self._asking:  # what is put next by another thread must not come before it
            if self._waiting and not self._asked:
                self._asked = True
                self._outbox.put(self._send_waiting)

    def _send_waiting(self) -> None:
        """Called by the outbox' thread alone, as all that speaks to the store is."""
        self._hurry.wait(GATHER_S)
        self._asked = False
        batch = list(self._waiting)
        if not batch:
            return
        _unless_refused(lambda: self._send(batch))
        self._small.append(_key(self._run, batch[0].seq))
        self._sent = batch[-1].seq
        del self._waiting[: len(batch)]
        self._sent_at = time.monotonic()
        if len(self._small) >= MOST_SMALL:
            with contextlib.suppress(RaysearchError):  # it can wait for the next dozen
                self._unite()

    def _begin_after(self, keys: Sequence[str]) -> None:
        """Take up the segments that are there; a large one is left as it is."""
        self._small = [key for key in keys if _span(key)[0] <= self._sent]
        if self._sent and len(self._small) >= MOST_SMALL:
            with contextlib.suppress(RaysearchError):
                self._unite()

    def _unite(self) -> None:
        """Put what was sent since the last large segment into one, then remove its parts.

        Whoever reads meanwhile finds the parts, the whole, or both.
        """
        gone, first, last = list(self._small), self._begin, self._sent
        if (current_fence(self._objects, self._run) or 0) > self._local.fence:
            return
        lines = b"".join(event.to_line() for event in self._local.events[first - 1 : last])
        whole = f"{self._run}/ledger/{first:09d}-{last:09d}.jsonl"
        self._objects.write(whole, lines)
        self._objects.delete([key for key in gone if key != whole])
        large = len(lines) >= LARGE_BYTES
        self._small, self._begin = ([], last + 1) if large else ([whole], first)

    def _send(self, batch: Sequence[Event]) -> None:
        """Put the segment of ``batch``, unless a later driver has the run.

        A driver that slept through its successor's beginning may have put one of that number
        before its fence was looked at: what it says is void, and the later fence's takes its place.
        """
        self._ensure_own()
        key = _key(self._run, batch[0].seq)
        lines = b"".join(event.to_line() for event in batch)
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

    def _ensure_own(self) -> None:
        if (current_fence(self._objects, self._run) or 0) > self._local.fence:
            raise InfrastructureError(f"{self._objects.url}/{self._run}: another driver has it")

    def _is_void(self, key: str, lines: bytes) -> bool:
        place = f"{self._objects.url}/{key}"
        events = [parse_event(line, place) for line in lines.splitlines()]
        return all(event.fence < self._local.fence for event in events)

    def close(self) -> None:
        """Send what waits and let the file go. Twice is fine."""
        try:
            self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let the file go; what waits is not sent, but what is being sent is."""
        self._outbox.close()
        self._local.close()


def fetch_ledger(objects: ObjectStore, run: str, path: Path) -> list[str]:
    """Make ``path`` hold every line that ``objects`` has of the run; the objects are the truth.

    Lines of a driver after those of its successor are void.

    Returns:
        The keys of all segments.

    Raises:
        DataError: a damaged line, or a segment that is missing; names the segment.
        InfrastructureError: the storage cannot be read.
    """
    segments = _fetch_segments(objects, run, path.parent / FOLDER)
    lines, expected, fence, united = list[bytes](), 1, 0, 0
    for key, file in sorted(segments.items(), key=lambda item: _order(item[0])):
        first, last = _span(key)
        if first <= united:
            continue  # a part of one before, which its driver had no time to remove
        united = last or united
        for line in file.read_bytes().splitlines(keepends=True):
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
    return list(segments)


def _fetch_segments(objects: ObjectStore, run: str, folder: Path) -> dict[str, Path]:
    """Every segment, and its file on this machine; what was fetched before is kept."""
    for _ in range(MOST_READS):
        tags = objects.tags(f"{run}/ledger")
        files = {key: folder / Path(key).name for key in tags}
        if not fetch_changed(objects, tags, files.__getitem__, folder / RECORD):
            stale = {*folder.glob("*.jsonl")} - {*files.values()} if folder.is_dir() else set()
            for file in stale:
                file.unlink(missing_ok=True)
            return files
    raise InfrastructureError(f"{objects.url}/{run}/ledger: changes faster than it can be read")


def _unless_refused(act: Callable[[], None]) -> None:
    """Do ``act``, also if the store refuses it for a moment."""
    patiently(act, lambda error: isinstance(error, StorageRefusedError))


def _key(run: str, seq: int) -> str:
    return f"{run}/ledger/{seq:09d}.jsonl"


def _span(key: str) -> tuple[int, int]:
    """The first event's number, and of a united segment the last one's, else 0.

    Raises:
        DataError: the key is no segment's.
    """
    first, _, last = Path(key).name.removesuffix(".jsonl").partition("-")
    try:
        return int(first), int(last or 0)
    except ValueError:
        raise DataError(f"{key}: no segment of a ledger") from None


def _order(key: str) -> tuple[int, int]:
    first, last = _span(key)
    return first, -last
