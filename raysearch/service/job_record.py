"""What a submitted search leaves in its run, so that it outlives the cluster's head.

``jobs/<submission>.json`` says when it began, whether it was accepted, how it ended and that it
lives; ``.log`` beside it is all that it printed.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

from raysearch.errors import DataError, RaysearchError
from raysearch.files import write_json
from raysearch.patience import no_room, patiently
from raysearch.storage.two_kinds import storage_of

__all__ = ["Record", "recorded", "records"]

BEAT_S = 20.0
# A head that was not heard of for so long is gone.
SILENT_S = 90.0


@dataclass(frozen=True, slots=True)
class Record:
    """What a run keeps of one submission.

    Attributes:
        submission: its id.
        host: where its driver ran.
        started: seconds since 1970.
        heard: when it last said that it lives.
        ended: when it ended, if it told.
        exit_code: how.
        accepted: whether its settings, data and storage were, and the run was its own; records of
            earlier versions do not tell.
    """

    submission: str
    host: str
    started: float
    heard: float
    ended: float | None = None
    exit_code: int | None = None
    accepted: bool = False

    @property
    def state(self) -> str:
        """``running``, ``finished``, ``stopped``, ``failed`` or ``lost``: its head is gone."""
        if self.ended is None:
            return "lost" if time.time() - self.heard > SILENT_S else "running"
        return {0: "finished", 130: "stopped"}.get(self.exit_code or 0, "failed")

    def log(self, run: Path) -> str:
        """Read what the submission printed."""
        path = run / "jobs" / f"{self.submission}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def records(run: Path) -> list[Record]:
    """Return every submission of the run in ``run``, the newest first.

    Raises:
        DataError: a record cannot be read.
    """
    found = []
    for path in (run / "jobs").glob("*.json"):
        try:
            record = Record(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise DataError(f"{path}: not a job's record: {error}") from None
        if record.submission != path.stem:  # its log is found by that name
            raise DataError(f"{path}: not a job's record: it is of {record.submission!r}")
        found.append(record)
    return sorted(found, key=lambda record: -record.started)


@contextmanager
def recorded(run: Path, submission: str | None) -> Iterator[Callable[[], None]]:
    """Keep the record and the log of this process while the ``with`` lasts.

    Args:
        run: the run's folder, held by this process.
        submission: the job's id; without one nothing is kept.

    Yields:
        What is to be called once the search is accepted; whoever submitted it waits for that.
    """
    if submission is None:
        yield lambda: None
        return
    now = time.time()
    record = Record(submission, socket.gethostname(), started=now, heard=now)
    with (
        _Beats(run, record) as beats,
        _copied_to(run / "jobs" / f"{submission}.log"),
    ):
        yield beats.accept


class _Beats:
    """Rewrites the record, and sends it with the log, every ``BEAT_S`` and at the end."""

    def __init__(self, run: Path, record: Record) -> None:
        self._record = record
        self._file = run / "jobs" / f"{record.submission}.json"
        self._sender = storage_of(run).sync(run)
        self._done, self._lock = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._beat, name="job record", daemon=True)

    def __enter__(self) -> "_Beats":
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._write(self._record)
        self._thread.start()
        return self

    def accept(self) -> None:
        """Write at once that the search is accepted."""
        with self._lock:
            self._record = replace(self._record, accepted=True)
        self._tell()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        if error is not None and not isinstance(error, KeyboardInterrupt):
            # What ends the process is printed when the log is closed already.
            told = isinstance(error, RaysearchError)
            why = f"raysearch: {error}" if told else "".join(traceback.format_exception(error))
            with self._file.with_suffix(".log").open("a", encoding="utf-8") as log:
                log.write(why.rstrip() + "\n")
        now = time.time()
        last = replace(self._record, heard=now, ended=now, exit_code=_exit_code(error))
        patiently(lambda: self._write(last), no_room)

    def _beat(self) -> None:
        while not self._done.wait(BEAT_S):
            self._tell()

    def _tell(self) -> None:
        # A store that is away for a moment does not end a search: the next beat tries again.
        with self._lock, contextlib.suppress(RaysearchError, OSError):
            self._write(replace(self._record, heard=time.time()))
            self._sender.send()

    def _write(self, record: Record) -> None:
        write_json(self._file, asdict(record))


def _exit_code(error: BaseException | None) -> int:
    if isinstance(error, RaysearchError):
        return error.exit_code
    return 130 if isinstance(error, KeyboardInterrupt) else int(error is not None)


@contextmanager
def _copied_to(path: Path) -> Iterator[None]:
    """All that this process prints goes to ``path`` as well, whoever prints it."""
    read, write = os.pipe()
    outs = {number: os.dup(number) for number in (1, 2)}
    for number in outs:
        os.dup2(write, number)
    os.close(write)
    thread = threading.Thread(target=_copy, args=(read, outs[1], path), daemon=True)
    thread.start()
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, out in outs.items():
            os.dup2(out, number)
        thread.join(timeout=5)  # a process that we started may hold the pipe open for good
        for out in outs.values():
            os.close(out)


def _copy(read: int, out: int, path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        while chunk := os.read(read, 65536):
            # A full disk, or a terminal that is gone, must not stop who prints.
            with contextlib.suppress(OSError):
                os.write(out, chunk)
            with contextlib.suppress(OSError):
                file.write(chunk)
    os.close(read)
