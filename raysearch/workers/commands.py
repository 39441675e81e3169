"""What a group's host and its ranks tell each other, and how a command can fail."""

from dataclasses import dataclass
from typing import Literal

from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.faults import Fault
from raysearch.workers.trial_task import TrialTask

__all__ = [
    "Command",
    "FaultError",
    "GroupHungError",
    "GroupLostError",
    "Kind",
    "Outcome",
    "loss_of",
]

Kind = Literal["start", "epoch", "finish", "drop", "exit"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command that every rank carries out next.

    Attributes:
        kind: ``start`` builds a trial, ``epoch`` trains one epoch of it, ``finish`` publishes and
            ends it, ``drop`` ends it as it is, ``exit`` leaves the loop.
        task: the trial that is to start.
    """

    kind: Kind
    task: TrialTask | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one rank carried out one command.

    Attributes:
        report: of an epoch, or of what ``finish`` has published.
        afresh: the checkpoint to start from could not be read, so the trial began anew.
        error: what went wrong, in one line.
        fault: whose it is.
    """

    report: EpochReport | None = None
    afresh: bool = False
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
