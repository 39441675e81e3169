"""What a group's host and its ranks tell each other, and how a command can fail."""

from dataclasses import dataclass, field
from typing import Any

from raysearch.workers.faults import Fault

__all__ = ["Command", "FaultError", "GroupHungError", "GroupLostError", "Outcome", "loss_of"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command that every rank carries out next."""

    kind: str
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one rank carried out one command.

    Attributes:
        result: rank 0's answer.
        error: what went wrong, in one line.
        fault: whose it is.
    """

    result: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    fault: Fault = Fault.SETTINGS


class FaultError(Exception):
    """A command failed, but the group can take another one."""

    def __init__(self, reason: str, fault: Fault = Fault.SETTINGS) -> None:
        super().__init__(reason)
        self.fault = fault


class GroupLostError(FaultError):
    """The group's processes did not survive a command."""

    def __init__(self, reason: str, fault: Fault = Fault.SLOT) -> None:
        super().__init__(reason, fault)


class GroupHungError(GroupLostError):
    """The group did not answer in time, and was ended for it."""


def loss_of(worst: Outcome | None) -> GroupLostError:
    """Make the error of a lost group of the outcome that says most; the dead say nothing."""
    return (
        GroupLostError(worst.error or "", worst.fault) if worst else GroupLostError("a worker died")
    )
