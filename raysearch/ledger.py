"""The append-only record of a search: one JSON object a line, written by the driver alone.

A search is what its ledger says. Every line has ``event, seq, trial, number, attempt, fence, time,
slot``; :mod:`raysearch.ledger_events` says what it has besides.
"""

import errno
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from raysearch.errors import DataError, InfrastructureError
from raysearch.ledger_events import REQUIRED, Told, read_data
from raysearch.paths import is_inner, is_name
from raysearch.patience import no_room, patiently

__all__ = [
    "EVENTS",
    "TERMINAL",
    "WHOLE",
    "Event",
    "Ledger",
    "LedgerStore",
    "parse_event",
    "read",
    "take_lines",
]

TERMINAL = frozenset({"completed", "pruned", "failed"})
EVENTS = TERMINAL | {"started", "epoch", "checkpoint", "paused", "resumed", "steered"}
# What stands for a trial's identity in an event that is of the whole search.
WHOLE = "search"
_HEADER = ("event", "seq", "trial", "number", "attempt", "fence", "time", "slot")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a search: a line of its ledger.

    Attributes:
        event: one of EVENTS.
        seq: rises by one from 1 over the whole ledger.
        trial: the trial's identity, 12 hex digits; WHOLE where it is of no single trial.
        number: the proposal's number from 0; a repeated proposal has its own; -1 for WHOLE.
        attempt: starts of this trial so far, from 1.
        fence: the driver's fence (see raysearch.run_lease).
        time: seconds since 1970, UTC.
        slot: the worker group that runs the trial; None where none does.
        data: what else the line holds; :meth:`told` reads it.
    """

    event: str
    seq: int
    trial: str
    number: int
    attempt: int
    fence: int
    time: float
    slot: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def told(self, kind: type[Told]) -> Told:
        """Return what the line holds as one of the classes of raysearch.ledger_events."""
        return read_data(kind, self.data)

    @property
    def train_s(self) -> float:
        """Seconds of training that it tells of; none where it tells of no epoch."""
        return float(self.data.get("train_s") or 0.0)

    def to_line(self) -> bytes:
        """The line, newline included."""
        header = {name: getattr(self, name) for name in _HEADER}
        text = json.dumps({**header, **_finite(dict(self.data))}, allow_nan=False)
        return text.encode() + b"\n"


class LedgerStore(Protocol):
    """What a search needs of a ledger, wherever it is kept."""

    message: str | None

    @property
    def events(self) -> Sequence[Event]:
        """Every event so far, those of earlier drivers included."""

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
        """Record an event; with ``sync`` it survives the machine, not only the process."""

    def after(self, act: Callable[[], None]) -> None:
        """Have ``act`` carried out once what was appended so far will survive."""

    def flush(self) -> None:
        """Wait for what was appended to survive, and for what was put after it."""

    def close(self) -> None:
        """Let the ledger go."""

    def abandon(self) -> None:
        """Let the ledger go, and wait for nothing."""


class Ledger:
    """A ledger in a local file.

    Attributes:
        message: what was repaired when the file was opened, or None.
    """

    def __init__(self, path: Path, fence: int, events: list[Event], message: str | None) -> None:
        self.path = path
        self.fence = fence
        self._events = events
        self.message = message
        self._ended = {event.number for event in events if event.event in TERMINAL}
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._size = os.fstat(self._file).st_size

    @property
    def events(self) -> Sequence[Event]:
        """Every event so far, those of earlier drivers included."""
        return self._events

    @classmethod
    def open(cls, path: Path, fence: int) -> "Ledger":
        """Open ``path`` for appending, made if absent; a torn last line is moved aside.

        Raises:
            InfrastructureError: a later driver has written; or the file cannot be written.
            DataError: a line that is not the last is damaged.
        """
        try:
            message = _repair(path)
            events = read(path) if path.exists() else []
            _refuse_stale(path, fence, events)
            return cls(path, fence, events, message)
        except OSError as error:
            raise InfrastructureError(f"{path}: {error.strerror}") from error

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
        """Write one event through to the operating system, and with ``sync`` to the disk.

        Metrics that are not finite become null.

        Raises:
            DataError: the event lacks something, or its trial has already ended.
            InfrastructureError: the disk stays full, or somebody else has written.
        """
        seq = self._events[-1].seq + 1 if self._events else 1
        entry = Event(event, seq, trial, number, attempt, self.fence, time.time(), slot, data)
        line = entry.to_line()
        parsed = parse_event(line, f"{self.path}: event {seq}")
        if number in self._ended and event != "checkpoint":
            raise DataError(f"{self.path}: trial {number} has ended: no {event!r} after that")
        try:
            patiently(lambda: self._write(line), no_room)
            if sync:
                os.fsync(self._file)
        except OSError as error:
            raise InfrastructureError(f"{self.path}: {error.strerror}") from error
        self._events.append(parsed)
        if event in TERMINAL:
            self._ended.add(number)
        return parsed

    def after(self, act: Callable[[], None]) -> None:
        """Carry ``act`` out now, as every event that was appended is written already."""
        act()

    def flush(self) -> None:
        """Do nothing: every event that was appended is written already."""

    def close(self) -> None:
        """Close the file. Twice is fine."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    abandon = close

    def _write(self, line: bytes) -> None:
        if os.fstat(self._file).st_size != self._size:
            raise InfrastructureError(f"{self.path}: another driver has written to it")
        written = os.write(self._file, line)
        if written != len(line):
            os.ftruncate(self._file, self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written


def read(path: Path) -> list[Event]:
    """Every whole line of a ledger, also of one that is being written.

    Raises:
        DataError: a damaged line, or sequence numbers or fences that fall; names the line.
    """
    events: list[Event] = []
    take_lines(events, path.read_bytes(), path)
    return events


def take_lines(events: list[Event], content: bytes, path: Path) -> None:
    """Append the events of whole lines, which follow those of ``events`` in the ledger ``path``."""
    for i, line in enumerate(content.split(b"\n")[:-1], start=len(events) + 1):
        event = parse_event(line, f"{path}:{i}")
        if events and (event.seq <= events[-1].seq or event.fence < events[-1].fence):
            raise DataError(f"{path}:{i}: seq or fence falls; two drivers have written")
        events.append(event)


def parse_event(line: bytes, place: str) -> Event:
    """The event of one line.

    Raises:
        DataError: not JSON, a key that is missing or of a wrong type, or a path that leads out
            of the run's folder.
    """
    try:
        data = json.loads(line)
    except ValueError:
        raise DataError(f"{place}: not a line of JSON") from None
    if not isinstance(data, dict):
        raise DataError(f"{place}: not a JSON object")
    header = {name: data.pop(name, None) for name in _HEADER}
    kinds = {"event": str, "trial": str, "time": float, "slot": (int, type(None))}
    for name, value in header.items():
        if isinstance(value, bool) or not isinstance(value, kinds.get(name, int)):  # type: ignore[arg-type]
            raise DataError(f"{place}: {name!r} is {value!r}")
    if header["event"] not in EVENTS:
        raise DataError(f"{place}: unknown event {header['event']!r}")
    for name, kind in REQUIRED.get(str(header["event"]), {}).items():
        if isinstance(data.get(name), bool) or not isinstance(data.get(name), kind):
            raise DataError(f"{place}: {header['event']!r} needs {name!r}, not {data.get(name)!r}")
    if not is_name(header["trial"]):
        raise DataError(f"{place}: 'trial' is {header['trial']!r}, which is no trial's identity")
    if header["event"] == "checkpoint" and not is_inner(data["path"]):
        raise DataError(f"{place}: 'path' is {data['path']!r}, which leads out of the run's folder")
    return Event(**header, data=data)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value


def _refuse_stale(path: Path, fence: int, events: Iterable[Event]) -> None:
    last = max((event.fence for event in events), default=0)
    if fence < last:
        raise InfrastructureError(f"{path}: written under fence {last}, ours is only {fence}")


def _repair(path: Path) -> str | None:
    """Complete or move aside what a crash left of the last line; what was done, or None."""
    content = path.read_bytes() if path.exists() else b""
    start = content[:-1].rfind(b"\n") + 1
    last = content[start:]
    if not last:
        return None
    try:
        if not last.removesuffix(b"\n").endswith(b"}"):
            raise DataError(f"{path}: something follows the last event")  # blanks, to JSON, do not
        parse_event(last, str(path))
    except DataError:
        torn = path.with_name(path.name + ".torn")
        with torn.open("ab") as file:
            file.write(last if last.endswith(b"\n") else last + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _rewrite_tail(path, start, b"")
        return f"{path.name}: the torn last line ({len(last)} bytes) was moved to {torn.name}"
    if not last.endswith(b"\n"):
        # A JSON object that parses is whole: only its newline was lost.
        _rewrite_tail(path, len(content), b"\n")
    return None


def _rewrite_tail(path: Path, size: int, tail: bytes) -> None:
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(size)
        file.write(tail)
        file.flush()
        os.fsync(file.fileno())
