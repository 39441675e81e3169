"""TensorBoard's writers, and what its HPARAMS tab knows a trial by; slow to import."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from torch.utils.tensorboard import FileWriter, SummaryWriter

from raysearch.reporting.wording import cell

__all__ = ["add_settings", "open_writer"]


def open_writer(folder: Path, purge_step: int | None = None) -> SummaryWriter:
    """Open another event file in ``folder``; points from ``purge_step`` on are hidden."""
    return SummaryWriter(str(folder), purge_step=purge_step)


def add_settings(writer: SummaryWriter, name: str, settings: Mapping[str, object]) -> None:
    """Write a trial's settings as a table, and as the HPARAMS tab compares trials by them.

    Args:
        writer: of the trial.
        name: what the tab calls it.
        settings: dotted field to value.
    """
    rows = "\n".join(f"| {key} | {cell(value)} |" for key, value in settings.items())
    writer.add_text("settings", f"| field | value |\n|---|---|\n{rows}")
    values = {key: _plain(value) for key, value in settings.items()}
    file = cast("FileWriter", writer.file_writer)  # there is one by now
    file.add_summary(hparams_pb(values, trial_id=name))


def _plain(value: object) -> bool | int | float | str:
    """What the tab can sort by; anything else as text."""
    return value if isinstance(value, bool | int | float | str) else str(value)
