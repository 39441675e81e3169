"""The trial that a group works on, as its host keeps it."""

import asyncio
from dataclasses import dataclass, field, replace

from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.faults import Fault
from raysearch.workers.trial_task import TrialTask

__all__ = ["Running", "trial_key"]


@dataclass(slots=True)
class Running:
    """What a host knows of the trial that it works on, or last worked on."""

    task: TrialTask
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
    reports: list[EpochReport] = field(default_factory=list)
    reason: str | None = None
    fault: Fault = Fault.SETTINGS
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    first: int = 0

    def __post_init__(self) -> None:
        self.first = self.attempt

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.task.number

    @property
    def starts(self) -> int:
        """Starts here that count against the trial.

        Not counted are those that led to a further epoch, and those for a new size of the group,
        for memory or for damaged weights.
        """
        extra = self.resizes + self.short_of_memory + self.anew + self.forgiven
        return self.attempt - self.first + 1 - extra

    def report(self, told: EpochReport | None = None) -> EpochReport:
        """Return what the workers told, or a report of no epoch, as the present attempt's."""
        return replace(told or EpochReport(self.number), attempt=self.attempt)

    def took(self, report: EpochReport) -> None:
        """Take an epoch's report; an epoch that no earlier start reached forgives those starts."""
        if report.epoch > self.furthest:
            self.furthest = report.epoch
            self.forgiven += self.starts - 1
        self.checkpoint = report.checkpoint or self.checkpoint
        if report.done:
            self.end()

    def end(self, reason: str | None = None, fault: Fault = Fault.SETTINGS) -> None:
        """End the trial, with the ``reason`` if it failed; only the first call counts."""
        if not self.ended.is_set():
            self.reason, self.fault = reason, fault
            self.ended.set()


def trial_key(task: TrialTask) -> tuple[str, int]:
    """Return the folder and number, which tell trials of several runs on one slot apart."""
    return task.folder, task.number
