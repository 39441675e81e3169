"""Ray Train and its workers, as coroutines around a real host of a worker group."""

import asyncio
import functools
from contextlib import asynccontextmanager
from dataclasses import asdict, replace

from raysearch.storage.publication import Publication
from raysearch.workers.commands import Outcome
from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.host import WorkerGroupHost
from raysearch.workers.trial_task import TrialTask

DIES, HANGS = "dies", "hangs"
# Faults of a group of two: the first trial's first epoch fails everywhere.
EVERY_RANK = {
    (0, rank, "epoch", 1): Outcome(error="NonFiniteLossError: loss is nan") for rank in (0, 1)
}


def task(number=0, attempt=1, resume=None, run="run"):
    return TrialTask(
        number=number,
        trial=f"{number:012x}",
        attempt=attempt,
        label=f"trial {number:04d}",
        config={},
        seed=1,
        objective="val_uar",
        data=None,
        folder=f"{run}/checkpoints/{number:04d}",
        publication=Publication(run, fence=1),
        resume=resume,
    )


class FakeGroup:
    """Serves a host with ranks that train nothing, and starts again when a rank is lost.

    Args:
        host: whom to serve.
        epochs: epochs of every trial.
        faults: (incarnation, rank, kind, epoch) to an ``Outcome``, ``DIES`` or ``HANGS``; the
            epoch is that before the command. ``None`` as incarnation is any.
        checkpoint_every: epochs between checkpoints, which are published as ``at-EPOCH``.
    """

    def __init__(self, host, world=2, epochs=3, faults=None, checkpoint_every=1):
        self.host, self.world, self.epochs = host, world, epochs
        self.faults, self.checkpoint_every = faults or {}, checkpoint_every
        self.incarnation, self.run_again = 0, True
        self.unreadable = set()  # checkpoints
        self.ends = []  # (incarnation, rank, why)
        self.seen = []  # (incarnation, kind, task) of rank 0

    async def run(self):
        while True:
            token = f"token-{self.incarnation}"
            ranks = [asyncio.create_task(self._rank(r, token)) for r in range(self.world)]
            self._killer = asyncio.create_task(asyncio.Event().wait())
            everyone = [*ranks, self._killer]
            try:
                done, _ = await asyncio.wait(everyone, return_when=asyncio.FIRST_COMPLETED)
                if all(not one.cancelled() and one.result() == "exit" for one in done):
                    await asyncio.wait(ranks)
                    return
            finally:
                for one in everyone:
                    one.cancel()
                await asyncio.gather(*everyone, return_exceptions=True)
            await self.host.disband()
            if not self.run_again:
                await asyncio.Event().wait()
            self.incarnation += 1

    def kill(self):
        """Every rank dies where it is."""
        self._killer.cancel()

    async def _rank(self, rank, token):
        why = await self._serve(rank, token)
        self.ends.append((self.incarnation, rank, why))
        return why

    async def _serve(self, rank, token):
        await self.host.join(rank, token, pid=100 * self.incarnation + rank, world_size=self.world)
        index, epoch = 0, 0
        while (command := await self.host.next_command(token, index)).kind != "exit":
            if rank == 0:
                self.seen.append((self.incarnation, command.kind, command.task))
            fault = self._fault(rank, command.kind, epoch)
            if fault == DIES:
                return "died"
            if fault == HANGS:
                await asyncio.Event().wait()
            epoch, outcome = self._carry_out(command, epoch, rank)
            outcome = fault or outcome
            if not await self.host.report(rank, token, index, outcome):
                return "told to end"
            index += 1
        return "exit"

    def _fault(self, rank, kind, epoch):
        for incarnation in (self.incarnation, None):
            if (incarnation, rank, kind, epoch) in self.faults:
                return self.faults[incarnation, rank, kind, epoch]
        return None

    def _carry_out(self, command, epoch, rank):
        """The epoch after the command, and the outcome; its report's size tells the rank."""
        report = EpochReport(0, num_params=rank)
        if command.kind == "start":
            resume = command.task.resume
            if resume in self.unreadable:
                return 0, Outcome(afresh=True)
            return int(resume.removeprefix("at-")) if resume else 0, Outcome()
        if command.kind == "epoch":
            epoch += 1
            done = epoch == self.epochs
            due = done or epoch % self.checkpoint_every == 0
            checkpoint = f"at-{epoch}" if due else None
            return epoch, Outcome(replace(report, epoch=epoch, done=done, checkpoint=checkpoint))
        if command.kind == "finish":
            return epoch, Outcome(replace(report, checkpoint=f"at-{epoch}"))
        return epoch, Outcome()

    def kinds(self, incarnation=None):
        return [kind for i, kind, _ in self.seen if incarnation in (None, i)]


@asynccontextmanager
async def serving(world=2, epochs=3, faults=None, checkpoint_every=1, **limits):
    """A host, its group, and an end to both; ``limits`` are the host's own."""
    host = WorkerGroupHost(world, **limits)
    group = FakeGroup(host, world, epochs, faults, checkpoint_every)
    service = asyncio.create_task(group.run())
    try:
        async with asyncio.timeout(20):
            yield host, group
    finally:
        await host.close()
        service.cancel()
        await asyncio.gather(service, return_exceptions=True)


async def settle():
    """Let every other coroutine go as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)


def asynchronous(test):
    """A test that is a coroutine, with half a minute to end."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 30))

    return run


def told(report):
    """What a report tells; of a failure it tells whose fault it is, and that it is the last."""
    nothing = asdict(EpochReport(report.number))
    facts = {name: value for name, value in asdict(report).items() if value != nothing[name]}
    if report.failed:
        assert facts.pop("done")
        facts["fault"] = report.fault.value
    return facts


async def begin(host, number=0, booking=0, **rest):
    """Assign a trial and start it."""
    await host.assign(task(number, **rest), booking)
    return await host.begin(booking)


def failure(reason):
    """What is told of a trial that its slot has failed at its first start."""
    return {"failed": reason, "attempt": 1, "fault": "slot"}


async def steps(host, count, booking=0, first=0):
    """The next ``count`` reports of a trial."""
    return [await host.step(booking, index) for index in range(first, first + count)]
