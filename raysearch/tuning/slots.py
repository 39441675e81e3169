"""Where trials run, as the conductor sees it."""

from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Assignment", "Slots"]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A trial and the slot it goes to."""

    number: int
    slot: int
    label: str
    task: dict[str, Any]


class Slots(Protocol):
    """What the conductor asks of the pool of worker groups."""

    def free(self) -> list[int]:
        """Slots that could take a trial now, those that are up first."""

    def occupy(self, slot: int) -> None:
        """A trial goes to ``slot``."""

    def release(self, slot: int) -> None:
        """The trial on ``slot`` has ended."""

    def lose(self, slot: int) -> int:
        """``slot`` takes no more trials; how many slots are left."""

    def finish(self, slot: int, number: int) -> dict[str, Any]:
        """Have ``slot`` publish the checkpoint of trial ``number`` and let it go."""
