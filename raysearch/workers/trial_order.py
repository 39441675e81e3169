"""A trial's way to a slot, and what the conductor asks of the slots."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from raysearch.workers.trial_task import TrialTask

__all__ = ["Assignment", "Slots"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A trial's task, and the slot that it goes to."""

    slot: int
    task: TrialTask

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.task.number


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
