"""One trial on one slot, as whoever drives it sees it: a run of reports."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import ray
from ray.exceptions import RayActorError

from raysearch.workers.epoch_report import EpochReport

__all__ = ["BookedTrial"]


@dataclass(frozen=True, slots=True)
class BookedTrial:
    """A trial that a slot was told to train next; the one way to have it trained.

    It holds no state of the trial and can be sent anywhere: Tune's actors run it in their own
    processes, all else in the driver's.

    Attributes:
        number: the trial.
        label: what the dashboard calls it.
        host: the name of the slot's host.
        booking: which of the slot's trials it is.
    """

    number: int
    label: str
    host: str
    booking: int

    def run(self) -> Iterator[EpochReport]:
        """Begin the trial, and train it epoch by epoch, each when it is asked for.

        Whoever runs it again, after another has died, is told everything from the first epoch on.

        Yields:
            One report an epoch; the last one is ``done``, and tells whether the trial failed.

        Raises:
            RayActorError: the slot's host is dead.
        """
        try:
            host = ray.get_actor(self.host)
        except ValueError:  # the name of an actor that died is free
            raise RayActorError from None
        report: EpochReport = ray.get(host.begin.remote(self.booking))
        # It ends, or fails with the reason, as the trial does: the dashboard's list is of these.
        named_task = host.trial.options(name=self.label).remote(self.number)
        index = 0
        if report.failed:
            yield replace(report, number=self.number)
        while not report.done:
            report = ray.get(host.step.remote(self.booking, index))
            index += 1
            yield replace(report, number=self.number)
        if not report.failed:
            ray.get(named_task)
