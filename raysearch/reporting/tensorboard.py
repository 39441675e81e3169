"""Every trial's curves for TensorBoard, written as the ledger grows."""

from pathlib import Path
from typing import Any

from raysearch.ledger import TERMINAL, Event
from raysearch.trials import Trials

__all__ = ["TensorBoardObserver"]


class TensorBoardObserver:
    """One event file a trial under ``tensorboard/NNNN``; open only while the trial runs.

    Args:
        folder: the run's ``tensorboard`` folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[int, Any] = {}

    def changed(self, trials: Trials, event: Event) -> None:
        """Write an epoch's metrics; close the file when the trial ends."""
        if event.event == "epoch":
            writer = self._writer(event.number, trials)
            for name, value in event.data["metrics"].items():
                if value is not None:
                    writer.add_scalar(name, value, event.data["epoch"])
            writer.flush()
        elif event.event in TERMINAL and event.number in self._writers:
            self._writers.pop(event.number).close()

    def close(self) -> None:
        """Close what is still open."""
        for number in list(self._writers):
            self._writers.pop(number).close()

    def _writer(self, number: int, trials: Trials) -> Any:
        if number not in self._writers:
            # Imported late: it costs half a second, and only a search needs it.
            from torch.utils.tensorboard import SummaryWriter

            writer = SummaryWriter(str(self._folder / f"{number:04d}"))
            settings = trials.records[number].config
            rows = "\n".join(f"| {key} | {value} |" for key, value in settings.items())
            writer.add_text("settings", f"| field | value |\n|---|---|\n{rows}")
            self._writers[number] = writer
        return self._writers[number]
