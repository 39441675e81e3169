"""What a worker group's host lets others do with its channel: its ranks, Ray Train, the pool."""

import ray

from raysearch.workers.channel import Channel
from raysearch.workers.commands import Command, Outcome

__all__ = ["ChannelFront", "no_task_events"]

# A method that the dashboard's task list does not show: it is for trials, which the many calls
# that keep them going would hide.
no_task_events = ray.method(enable_task_events=False)


class ChannelFront:
    """The methods of a host's actor that its channel answers.

    Args:
        channel: to the ranks.

    Attributes:
        channel: as given.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    @no_task_events
    async def join(
        self, rank: int, token: str, pid: int, node: str = "", world_size: int | None = None
    ) -> None:
        """Hear from a worker that its rank is ready; as :meth:`Channel.join`."""
        await self.channel.join(rank, token, pid, node, world_size)

    @no_task_events
    async def next_command(self, token: str, index: int) -> Command:
        """Give a worker its next command; as :meth:`Channel.next_command`."""
        return await self.channel.next_command(token, index)

    @no_task_events
    async def report(self, rank: int, token: str, index: int, outcome: Outcome) -> bool:
        """Hear a worker's outcome; as :meth:`Channel.report`."""
        return await self.channel.report(rank, token, index, outcome)

    @no_task_events
    async def resize(self) -> None:
        """Hear from Ray Train that the group ends for another size."""
        await self.channel.resize()

    @no_task_events
    async def disband(self) -> None:
        """Hear from Ray Train that the group has ended; another one may come."""
        await self.channel.disband()

    @no_task_events
    async def pids(self) -> dict[int, int]:
        """Wait for all workers to join, and return their process ids by rank."""
        return await self.channel.pids()

    @no_task_events
    async def workers(self) -> dict[str, list[int]]:
        """Return the nodes of the workers, now or last, and the process ids that live on each."""
        return await self.channel.workers()

    @no_task_events
    async def give_up(self, reason: str) -> None:
        """Take no more trials; every call that waits ends with ``reason``."""
        await self.channel.give_up(reason)

    @no_task_events
    async def close(self) -> None:
        """Let the workers return from their loop once no command is left."""
        await self.channel.close()
