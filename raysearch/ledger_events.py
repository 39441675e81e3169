"""What the events of a ledger tell besides their header, one class a kind.

None stands for what a line does not tell: an earlier version wrote less.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

__all__ = [
    "BY_HAND",
    "REQUIRED",
    "Checkpointed",
    "Ended",
    "EpochDone",
    "EventData",
    "Paused",
    "Resumed",
    "Started",
    "Steered",
    "Told",
    "line_of",
    "read_data",
]

# Why a search, or a trial, ended that somebody asked to end.
BY_HAND = "stopped by hand"

# What a line of each kind must hold, and of which type.
REQUIRED: dict[str, dict[str, type]] = {
    "started": {"config": dict},
    "epoch": {"epoch": int, "metrics": dict},
    "checkpoint": {"epoch": int, "path": str},
    "paused": {"epoch": int},
    "resumed": {"epoch": int},
    "failed": {"reason": str},
    "steered": {"id": str, "action": str},
}

Metrics = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Started:
    """A trial was proposed.

    Attributes:
        config: searched (or published) dotted field to value.
        seed: the trial's own.
        published: whether these are the published settings.
        exempt: whether it trains all its epochs whatever the stop rule says.
        asked: the id of the command by which somebody asked for it.
        copied_from: the trial whose outcome it has, in ledgers that tell it here.
    """

    config: Mapping[str, object]
    seed: int | None = None
    published: bool | None = None
    exempt: bool | None = None
    asked: str | None = None
    copied_from: int | None = None


@dataclass(frozen=True, slots=True)
class EpochDone:
    """A trial trained an epoch.

    Attributes:
        epoch: which, from 1.
        metrics: its losses and validation scores; None where one was not finite.
        train_s: seconds inside training and validation batches.
        num_params: parameters of the model.
        workers: ranks that trained it, where their number may change.
        done: whether it was the trial's last.
    """

    epoch: int
    metrics: Metrics
    train_s: float | None = None
    num_params: int | None = None
    workers: int | None = None
    done: bool | None = None


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """A trial has a new checkpoint.

    Attributes:
        path: where, below the run's folder.
        epoch: epochs that it holds.
        bytes: its size.
    """

    path: str
    epoch: int
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Paused:
    """A trial paused after ``epoch``, and another one has its slot."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """A new attempt goes on from the checkpoint of ``epoch``, 0 for none; ``promoted`` or lost."""

    epoch: int
    promoted: bool | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A trial completed, was pruned or failed.

    Attributes:
        reason: why, if there is something to tell.
        copied_from: the trial of equal settings whose outcome it has.
    """

    reason: str | None = None
    copied_from: int | None = None


@dataclass(frozen=True, slots=True)
class Steered:
    """Somebody asked for something while the search ran; it is told before it is done.

    Attributes:
        id: tells it from every other command.
        action: ``stop``, ``stop-trial``, ``more-trials``, ``more-time``, ``more-core-time`` or
            ``try``.
        target: the number of the trial that is stopped.
        amount: trials, or seconds of the time budget or core-seconds, that are added.
        values: the settings that are tried: searched dotted field to value.
    """

    id: str
    action: str
    target: int | None = None
    amount: float | None = None
    values: Mapping[str, object] | None = None


EventData = Started | EpochDone | Checkpointed | Paused | Resumed | Ended | Steered
Told = TypeVar("Told", Started, EpochDone, Checkpointed, Paused, Resumed, Ended, Steered)


def read_data(kind: type[Told], line: Mapping[str, Any]) -> Told:
    """Return what a line tells; keys that this version does not know are left out."""
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in line.items() if name in names})


def line_of(data: EventData) -> dict[str, object]:
    """Return what a line holds that tells ``data``, in the order of its fields."""
    told = {field.name: getattr(data, field.name) for field in fields(data)}
    return {name: value for name, value in told.items() if value is not None}
