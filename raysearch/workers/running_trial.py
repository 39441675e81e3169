"""The trial that a group works on, as its host keeps it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raysearch.workers.faults import Fault

__all__ = ["Running", "trial_key"]


@dataclass(slots=True)
class Running:
    """The trial that this group works on, or last worked on."""

    task: dict[str, Any]
    booking: int
    attempt: int
    checkpoint: str | None
    token: str | None = None
    resizes: int = 0
    short_of_memory: int = 0
    anew: int = 0
    forgiven: int = 0
    furthest: int = 0
    let_go: bool = False
    results: list[dict[str, Any]] = field(default_factory=list)
    reason: str | None = None
    fault: Fault = Fault.SETTINGS
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    first: int = 0

    def __post_init__(self) -> None:
        self.first = self.attempt

    @property
    def number(self) -> int:
        """The trial's."""
        return int(self.task["number"])

    @property
    def starts(self) -> int:
        """On this slot, those left out that led further, or were for size, memory or weights."""
        extra = self.resizes + self.short_of_memory + self.anew + self.forgiven
        return self.attempt - self.first + 1 - extra

    def took(self, result: dict[str, Any]) -> None:
        """An epoch; one that no earlier start came to forgives them."""
        if result["epoch"] > self.furthest:
            self.furthest = result["epoch"]
            self.forgiven += self.starts - 1
        self.checkpoint = result.get("checkpoint") or self.checkpoint
        if result["done"]:
            self.end()

    def end(self, reason: str | None = None, fault: Fault = Fault.SETTINGS) -> None:
        """It is over, for ``reason`` if it has failed; what was said first stands."""
        if not self.ended.is_set():
            self.reason, self.fault = reason, fault
            self.ended.set()


def trial_key(task: Mapping[str, Any]) -> tuple[str, int]:
    """What tells a trial from those of another run that had the same slot: folder and number."""
    return str(task["folder"]), int(task["number"])
