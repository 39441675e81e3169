"""``pretrained/`` in a run's folder: what its trials start from, and what that has learned from."""

from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from raysearch import published_folder
from raysearch.config.base import Config, Places, build
from raysearch.errors import ConfigError, DataError
from raysearch.protocols.learned import LEARNED_FROM, Learned
from raysearch.run_folder import RunFolder
from raysearch.storage.run_storage import fetch_published, send_published
from raysearch.training.start_weights import PRETRAINED

__all__ = [
    "RECORD",
    "StartRecord",
    "kept_folder",
    "kept_record",
    "learned_by",
    "publish_start",
    "record_of",
]

RECORD = "start.json"


class StartRecord(Config):
    """The content of ``start.json``: where the weights beside it come from."""

    origin: str = Field(min_length=1, description="where they are from")
    learned: str = Field(min_length=1, description="what they learned from, in a few words")
    taken: str = Field(min_length=1, description="how much of a trial's network they give")
    digest: str = Field(min_length=1, description="of the weights, as in a trial's settings")
    epochs: int = Field(0, ge=0, description="epochs of pre-training; 0: an earlier run's weights")
    wall_s: float = Field(0.0, ge=0, description="seconds that the pre-training took")
    core_s: float = Field(0.0, ge=0, description="CPUs of all slots times these seconds")

    def line(self) -> str:
        """One line for the terminal, the model card and the notes of an evaluation."""
        cost = f"; {self.epochs} epochs, {self.core_s:.0f} core-s" if self.epochs else ""
        return (
            f"{self.origin}: {self.taken}, learned from {self.learned}, of whom none is tested or "
            f"validated on{cost}"
        )


def kept_folder(run: RunFolder) -> Path | None:
    """Return the run's ``pretrained/``, checked to be undamaged; None if there is none yet.

    Raises:
        DataError: it is damaged.
    """
    folder = fetch_published(run.root / PRETRAINED)
    if not folder.is_dir():
        return None
    published_folder.verify(folder)
    return folder


def kept_record(folder: Path) -> StartRecord:
    """Read ``start.json`` of a ``pretrained/`` folder; raises DataError if it is damaged."""
    path = folder / RECORD
    try:
        return build(StartRecord, published_folder.load_json(path), places=Places(str(path)))
    except ConfigError as error:
        raise DataError(str(error)) from None


def record_of(run: RunFolder) -> StartRecord | None:
    """Read what the run's trials started from; None if from nothing, or if it is not there yet."""
    if not run.spec_file.is_file() or not run.spec().pretrain.wanted:
        return None
    folder = kept_folder(run)
    return kept_record(folder) if folder else None


def learned_by(run: RunFolder) -> tuple[StartRecord, Learned] | None:
    """Read what a run's trials started from, and the recordings behind it; None if nothing.

    Raises:
        DataError: it is gone or damaged.
    """
    if not run.spec_file.is_file() or not run.spec().pretrain.wanted:
        return None
    folder = kept_folder(run)
    if folder is None:
        raise DataError(f"{run.root / PRETRAINED}: what the trials start from is gone: search anew")
    return kept_record(folder), Learned.read(folder / LEARNED_FROM)


def publish_start(
    run: RunFolder, write: Callable[[Path], None], guard: Callable[[], None] | None = None
) -> None:
    """Put what ``write`` writes into the run's ``pretrained/`` and its storage."""
    folder = run.root / PRETRAINED
    published_folder.publish(folder, write, guard=guard)
    send_published(folder)
