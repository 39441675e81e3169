"""The order that sends one trial to one slot, and what the conductor asks of the slots."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from raysearch.trial_records import TrialRecord

__all__ = ["Assignment", "Slots", "assignment"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A trial, the slot it goes to, and the task that its workers are given."""

    number: int
    slot: int
    label: str
    task: dict[str, Any]


def assignment(
    record: TrialRecord, slot: int, folder: Path, label: str, common: Mapping[str, Any]
) -> Assignment:
    """Make the order for the trial of ``record`` on ``slot``, from its last checkpoint on.

    Args:
        record: the trial.
        slot: where it goes.
        folder: the run's folder.
        label: what it is called besides its number.
        common: what the task holds besides, such as its settings.
    """
    number = record.number
    task = {
        **common,
        "number": number,
        "trial": record.trial,
        "attempt": record.attempts,
        "seed": record.details["seed"],
        "resume": str(folder / record.checkpoint[0]) if record.checkpoint else None,
        "folder": str(folder / "checkpoints" / f"{number:04d}"),
    }
    return Assignment(number, slot, f"trial {number:04d} {label}", task)


class Slots(Protocol):
    """What the conductor asks of the pool of worker groups."""

    def claim(self, avoid: AbstractSet[int] = frozenset()) -> int | None:
        """Take a slot, none of ``avoid``, for a trial; None if none is free."""

    def num_open(self) -> int:
        """Count the slots that are up, or on their way."""

    def num_up(self) -> int:
        """Count the slots whose workers have joined."""

    def release(self, slot: int) -> None:
        """Give ``slot`` back: its trial has ended, or none came."""

    def alive(self, slot: int) -> bool:
        """Tell whether ``slot`` answers."""

    def lose(self, slot: int, reason: str) -> bool:
        """Give ``slot`` back for good; tell whether others are left or will come."""

    def rest(self, slot: int, reason: str) -> bool:
        """Give ``slot`` back for a while; tell whether any slots are left."""

    def let_go(self, slot: int, number: int) -> None:
        """End trial ``number``: its next report tells what ``slot`` published."""
