"""The host of one warm worker group: it stands between a trial and the group's DDP workers.

A group is one long fit of Ray Train whose workers loop in
:func:`raysearch.workers.worker_loop.serve_trials`. They never learn of Tune: they take numbered
commands from their host (``start``, ``epoch``, ``finish``, ``drop``, ``exit``), carry each one
out together, and report. The host never imports torch, so a slot costs one bare process beside
its workers.

Failures are told apart by whose fault they are (:mod:`raysearch.workers.faults`). An error that is
the trial's own fails it, and the group stays warm. One of the slot, one that some ranks alone
report, or the death of a worker ends the group: Ray Train starts it again, and the trial in flight
continues from its last checkpoint as a new attempt; what is over when that does not help is told
with its fault, and the driver decides. Ranks that do not answer in time
(:mod:`raysearch.workers.deadlines`) are ended, and their trial is tried again elsewhere: what hung
once would hang again.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from raysearch.workers.channel import Channel
from raysearch.workers.channel_front import ChannelFront, no_task_events
from raysearch.workers.commands import FaultError, GroupHungError, GroupLostError
from raysearch.workers.deadlines import Deadlines
from raysearch.workers.epoch_report import SUPERSEDED, EpochReport
from raysearch.workers.faults import Fault
from raysearch.workers.gauges import SlotGauges
from raysearch.workers.hung_worker import end_worker
from raysearch.workers.running_trial import Running, trial_key
from raysearch.workers.trial_task import TrialTask

__all__ = ["WorkerGroupHost"]


class WorkerGroupHost(ChannelFront):
    """The actor of one slot: runs its trials on the slot's workers; every wait is event-driven.

    Args:
        num_workers: ranks of the group.
        max_attempts: starts of one trial here, none of which led further, before it is given up.
        max_restarts: group restarts without a finished epoch before the slot is given up: those of
            three trials.
        error_grace_s: how long a rank's error waits for the other ranks to report theirs.
        gauges: run and slot that each epoch is shown under, if it is to be shown.
        rejoin_s: how long a lost group may take to come back before the slot is given up; without
            it, for ever.
        deadlines, end: as :class:`~raysearch.workers.channel.Channel` takes them.
    """

    def __init__(
        self,
        num_workers: int,
        max_attempts: int = 3,
        max_restarts: int = 8,
        error_grace_s: float = 10.0,
        gauges: tuple[str, int] | None = None,
        rejoin_s: float | None = None,
        deadlines: Deadlines | None = None,
        end: Callable[[str, int], None] = end_worker,
    ) -> None:
        super().__init__(Channel(num_workers, error_grace_s, rejoin_s, deadlines, end))
        self._gauges = SlotGauges(*gauges) if gauges else None
        self._max_attempts = max_attempts
        self._max_restarts = max_restarts
        self._busy = asyncio.Lock()
        self._booked = asyncio.Condition()
        self._assigned: TrialTask | None = None
        self._booking = -1
        # By folder and number: several runs may share a slot.
        self._attempts: dict[tuple[str, int], int] = {}
        self._restarts = 0
        self._current: Running | None = None
        self._leaving: str | None = None

    # ---- the trial's side --------------------------------------------------------------------

    @no_task_events
    async def assign(self, task: TrialTask, booking: int) -> None:
        """Take the driver's word on which trial comes next; bookings of a slot only rise."""
        async with self._booked:
            self._assigned, self._booking = task, booking
            self._booked.notify_all()

    @no_task_events
    async def begin(self, booking: int) -> EpochReport:
        """Start the trial of ``booking``, after aborting whatever else still runs here.

        A caller that takes over from a dead one finds the trial running and joins it. A caller
        whose booking has passed is told so: Tune may start a proxy and then use another.

        Returns:
            A report of no epoch, with the attempt; ``failed`` and ``fault`` tell why it could not
            be started.
        """
        async with self._booked:
            await self._booked.wait_for(lambda: self._booking >= booking)
        async with self._busy:
            if booking != self._booking or self._assigned is None:
                return SUPERSEDED
            if self._current is None or self._current.booking != booking:
                await self._drop()
                self._current = running = self._new(self._assigned, booking)
                return await self._guarded(running, partial(self._ensure_started, running))
            if self._current.reason:
                return self._failure(self._current)
            return self._current.report()

    def _new(self, task: TrialTask, booking: int) -> Running:
        key = trial_key(task)
        self._attempts[key] = attempt = max(self._attempts.get(key, 0) + 1, task.attempt)
        return Running(task, booking, attempt, task.resume)

    @no_task_events
    async def step(self, booking: int, index: int) -> EpochReport:
        """Return report ``index`` of the trial of ``booking``, one report an epoch.

        A report is kept until the next trial, so a caller that takes over reads from the start
        what its predecessor may have lost. The last one carries ``done``. A failed trial returns
        ``failed`` with the reason and its ``fault``, so that the caller stays alive for the next
        trial.
        """
        async with self._busy:
            running = self._current
            if running is None or running.booking != booking:
                return SUPERSEDED
            if index < len(running.reports):
                return running.reports[index]
            if running.ended.is_set():
                return self._failure(running)
            if running.let_go:
                return await self._last_step(running)
            if self._leaving:
                return await self._hand_over(running, self._leaving)
            report = await self._epoch(running)
            running.reports.append(report)
            if not report.failed:
                self._restarts = 0
                if self._gauges:
                    self._gauges.show(report.figures)
                running.took(report)
            return report

    @no_task_events
    async def let_go(self, number: int) -> None:
        """End trial ``number``: its next step publishes what it holds instead of training.

        That step is ``done`` and tells rank 0's ``checkpoint`` and ``checkpoint_epoch``; without
        these if the workers are gone: what they held is not trained again for this.
        """
        if self._current and self._current.number == number:
            self._current.let_go = True

    @no_task_events
    async def vacate(self, reason: str) -> None:
        """Let the trial go on elsewhere: its next step publishes what it holds and ends here.

        A group that was lost has nothing to publish, and is not waited for.
        """
        self._leaving = reason
        if self.channel.lost:
            await self.channel.give_up(reason)

    async def trial(self, number: int) -> None:
        """Wait until trial ``number`` ends; this is the named task that the dashboard lists.

        Raises:
            RuntimeError: the trial failed; the message is the reason.
        """
        running = self._current
        if running and running.number == number:
            await running.ended.wait()
            if running.reason:
                raise RuntimeError(running.reason)

    # ---- inside ------------------------------------------------------------------------------

    async def _epoch(self, running: Running) -> EpochReport:
        """Train one epoch, after starting the trial if this incarnation has not."""

        async def trained() -> EpochReport | None:
            await self._ensure_started(running)
            return (await self.channel.execute("epoch")).report

        return await self._guarded(running, trained)

    async def _guarded(
        self, running: Running, act: Callable[[], Awaitable[EpochReport | None]]
    ) -> EpochReport:
        """Do ``act``, again after each loss of the group, within the limits."""
        try:
            while True:
                try:
                    report = await act()
                    return running.report(report)
                except GroupLostError as lost:
                    await self._after_loss(running, lost)
        except FaultError as error:
            running.end(str(error), error.fault)
            return self._failure(running)

    async def _last_step(self, running: Running) -> EpochReport:
        """Publish what was trained, and end the trial as it was asked for."""
        report = replace(running.report(await self._published(running)), done=True)
        running.reports.append(report)
        running.end()
        return report

    async def _hand_over(self, running: Running, reason: str) -> EpochReport:
        """Publish what was trained here, if anything was, and end the trial on this slot."""
        published = await self._published(running) if running.reports else None
        if not running.reports:
            await self._drop_on_workers(running)
        running.end(reason)
        return replace(self._failure(running, published), slot_lost=True)

    async def _published(self, running: Running) -> EpochReport | None:
        """Rank 0's checkpoint; nothing if what the workers held is gone."""
        if running.token == self.channel.token:
            try:
                return (await self.channel.execute("finish")).report
            except GroupLostError as lost:
                if not self.channel.take_resizing():
                    await self._count_loss(str(lost))
            except FaultError:
                pass
        return None

    def _failure(self, running: Running, published: EpochReport | None = None) -> EpochReport:
        return replace(
            running.report(published),
            failed=running.reason or "ended",
            fault=running.fault,
            slot_lost=bool(self.channel.given_up or self._leaving),
            done=True,
        )

    async def _ensure_started(self, running: Running) -> None:
        """Start the trial in this incarnation, from its last checkpoint."""
        if running.token is not None:
            if running.token != self.channel.token:
                raise GroupLostError("a worker died")  # while nothing was to be done
            return
        task = replace(running.task, attempt=running.attempt, resume=running.checkpoint)
        started = await self.channel.execute("start", task)
        running.token = self.channel.token
        if started.afresh:
            running.anew += 1  # its checkpoint could not be read
            self._next_attempt(running)

    async def _after_loss(self, running: Running, lost: GroupLostError) -> None:
        """Make the next attempt ready; raises what the trial ends with if there is to be none."""
        running.token = None
        if self._leaving:
            await self.channel.give_up(self._leaving)
            self.channel.check_given_up()
        if self.channel.take_resizing():
            running.resizes += 1
        elif lost.fault is Fault.STORAGE:
            raise FaultError(str(lost), Fault.STORAGE)
        elif lost.fault is Fault.MEMORY:
            if running.short_of_memory:
                raise FaultError(f"{lost} (twice)")
            running.short_of_memory += 1
        else:
            hung = isinstance(lost, GroupHungError)
            await self._count_restart(running, str(lost), hung=hung)
        self._next_attempt(running)

    async def _count_restart(self, running: Running, cause: str, *, hung: bool) -> None:
        await self._count_loss(cause)
        if hung:
            raise FaultError(self.channel.given_up or cause, Fault.SLOT)
        # Two: one loss may be chance, on any slot.
        most = min(2, self._max_attempts) if running.task.suspect else self._max_attempts
        if running.starts >= most:
            raise FaultError(f"given up after {most} attempt(s): {cause}", Fault.SLOT)

    async def _count_loss(self, cause: str) -> None:
        self._restarts += 1
        if self._restarts > self._max_restarts:
            await self.channel.give_up(f"the worker group was lost {self._restarts} times: {cause}")

    def _next_attempt(self, running: Running) -> None:
        running.attempt += 1
        self._attempts[trial_key(running.task)] = running.attempt

    async def _drop(self) -> None:
        running = self._current
        if running is None or running.ended.is_set():
            return
        await self._drop_on_workers(running)
        running.end()

    async def _drop_on_workers(self, running: Running) -> None:
        if running.token == self.channel.token:
            with contextlib.suppress(FaultError):
                await self.channel.execute("drop")
