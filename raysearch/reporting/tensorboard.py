"""Every trial's curves and settings for TensorBoard, written as the ledger grows."""

import contextlib
import threading
from pathlib import Path
from typing import Any

from raysearch.ledger import TERMINAL, Event
from raysearch.ledger_events import EpochDone, Resumed
from raysearch.trial_records import Trials

__all__ = ["TensorBoardObserver"]


class TensorBoardObserver:
    """Writes one event file a trial under ``tensorboard/NNNN``, open only while the trial runs.

    Args:
        folder: the run's ``tensorboard`` folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[int, Any] = {}
        # A writer tells of a full disk twice: by a traceback of its thread, and when next used.
        self._hook, threading.excepthook = threading.excepthook, self._thread_ended

    def changed(self, trials: Trials, event: Event) -> None:
        """Write an epoch's metrics; close the file when the trial, or its attempt, ends.

        Raises:
            OSError: the disk is full, say; the trial's next epoch begins another file.
        """
        try:
            self._write(trials, event)
        except OSError:
            self._close(event.number)
            raise

    def _write(self, trials: Trials, event: Event) -> None:
        if event.event == "epoch":
            writer = self._writer(event.number, trials)
            told = event.told(EpochDone)
            for name, value in told.metrics.items():
                if value is not None:
                    writer.add_scalar(name, value, told.epoch)
            best = trials.records[event.number].best_metric
            if best is not None:
                # The HPARAMS tab shows a curve's last point, and trials are ranked by their best.
                writer.add_scalar(f"best/{trials.objective}", best, told.epoch)
            writer.flush()
        elif event.event in TERMINAL or event.event == "paused":
            self._close(event.number)
        elif event.event == "resumed":
            self._resume(event, trials)

    def close(self) -> None:
        """Close what is still open."""
        for number in list(self._writers):
            self._close(number)
        threading.excepthook = self._hook

    def _close(self, number: int) -> None:
        with contextlib.suppress(OSError):  # what is lost is a curve, which the ledger has
            if number in self._writers:
                self._writers.pop(number).close()

    def _thread_ended(self, told: threading.ExceptHookArgs) -> None:
        writes = type(told.thread).__name__ == "_AsyncWriterThread"
        if not (writes and isinstance(told.exc_value, OSError)):
            self._hook(told)

    def _resume(self, event: Event, trials: Trials) -> None:
        """Hide the epochs that the attempt before had reached and this one repeats."""
        self._close(event.number)
        if self._path(event.number).exists():
            self._writer(event.number, trials, purge_step=event.told(Resumed).epoch + 1).flush()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04d}"

    def _writer(self, number: int, trials: Trials, purge_step: int | None = None) -> Any:
        if number not in self._writers:
            # Imported late: it costs half a second, and only a search needs it.
            from raysearch.reporting.board_writer import add_settings, open_writer

            fresh = not self._path(number).exists()
            writer = open_writer(self._path(number), purge_step)
            if fresh:
                add_settings(writer, f"{number:04d}", trials.records[number].config)
            self._writers[number] = writer
        return self._writers[number]
