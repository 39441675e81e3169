"""The channel between a worker group's host and its ranks: numbered commands and their outcomes.

The ranks of one incarnation of a group carry out numbered commands together and report. An error
that every rank reports leaves the group as it is, unless it is the slot's own or one of memory
(see :mod:`raysearch.workers.faults`). Such a one, an error of some ranks only, or a new
incarnation's arrival means that the group was lost.
"""

import asyncio
import time
from collections.abc import Callable

from raysearch.workers.commands import (
    Command,
    FaultError,
    GroupHungError,
    Kind,
    Outcome,
    loss_of,
)
from raysearch.workers.deadlines import Deadlines
from raysearch.workers.faults import Fault
from raysearch.workers.hung_worker import end_worker
from raysearch.workers.trial_task import TrialTask

__all__ = ["Channel"]


class Channel:
    """Gives every rank the next command and gathers their outcomes; every wait is event-driven.

    Args:
        num_workers: ranks of the group.
        error_grace_s: how long a rank's error waits for the other ranks to report theirs.
        rejoin_s: how long a lost group may take to come back, if there is a limit.
        deadlines: how long the group may take over a command.
        end: ends a rank that hangs, given its node and its process id.
    """

    def __init__(
        self,
        num_workers: int,
        error_grace_s: float,
        rejoin_s: float | None = None,
        deadlines: Deadlines | None = None,
        end: Callable[[str, int], None] = end_worker,
    ) -> None:
        self._deadlines, self._end = deadlines or Deadlines(), end
        self._num_workers = num_workers
        self._rejoin_s = rejoin_s
        self._error_grace_s = error_grace_s
        self._changed = asyncio.Condition()
        self._token: str | None = None
        self._past_tokens: set[str] = set()
        self._pids: dict[int, int] = {}
        self._nodes: dict[int, str] = {}
        self._commands: list[Command] = []
        self._outcomes: dict[int, dict[int, Outcome]] = {}
        self._closing = False
        self._given_up: str | None = None
        self._resizing = False

    @property
    def token(self) -> str | None:
        """What the ranks of the present incarnation have alike; None while there is none."""
        return self._token

    @property
    def lost(self) -> bool:
        """Whether there was a group, which is gone or not whole again."""
        return bool(self._past_tokens) and not self._whole()

    @property
    def given_up(self) -> str | None:
        """Why no more trials are taken, if none are."""
        return self._given_up

    # ---- the workers' side -------------------------------------------------------------------

    async def join(
        self, rank: int, token: str, pid: int, node: str = "", world_size: int | None = None
    ) -> None:
        """Note that a rank of the group's incarnation ``token`` is ready for commands.

        Args:
            rank: of the worker.
            token: what all ranks of the incarnation have alike.
            pid: its process id.
            node: where it is.
            world_size: ranks of the incarnation, where that changes.
        """
        async with self._changed:
            if token in self._past_tokens:
                return  # a late word of a dead incarnation: ``next_command`` sends it away
            if token != self._token:
                self._retire()
                self._token, self._commands, self._outcomes, self._nodes = token, [], {}, {}
                self._num_workers = world_size or self._num_workers
            self._pids[rank], self._nodes[rank] = pid, node
            self._changed.notify_all()

    async def next_command(self, token: str, index: int) -> Command:
        """Wait for command ``index`` of this incarnation."""
        await self._until(
            lambda: token != self._token or len(self._commands) > index or self._closing
        )
        if token != self._token or len(self._commands) <= index:
            return Command("exit")
        return self._commands[index]

    async def report(self, rank: int, token: str, index: int, outcome: Outcome) -> bool:
        """Take the outcome of a rank and wait for the other ranks'.

        Returns:
            Whether the rank may go on, or must end its process.
        """
        async with self._changed:
            if token != self._token:
                return False
            self._outcomes.setdefault(index, {})[rank] = outcome
            if self._done(token, index):  # all have read it, and its data need not be kept
                self._commands[index] = Command(self._commands[index].kind)
            self._changed.notify_all()
        try:
            grace = self._error_grace_s if outcome.error else None
            await self._until(lambda: self._done(token, index), grace)
        except TimeoutError:
            return False  # the others hang in a collective that this rank will never join
        return token == self._token and not self._broken(index)

    async def resize(self) -> None:
        """Note that the group ends only to come back in another size, which is nobody's failure."""
        self._resizing = True

    async def disband(self) -> None:
        """Note that the group has ended; another one may come."""
        async with self._changed:
            self._retire()
            self._changed.notify_all()

    def take_resizing(self) -> bool:
        """Tell whether the last loss was for another size; the next one counts again."""
        resizing, self._resizing = self._resizing, False
        return resizing

    # ---- the pool's side ---------------------------------------------------------------------

    async def pids(self) -> dict[int, int]:
        """Wait for all workers to join, and return their process ids by rank."""
        await self._until(lambda: self._whole() or self._given_up is not None)
        return dict(self._pids)

    async def workers(self) -> dict[str, list[int]]:
        """Return the nodes of the workers, now or last, and the process ids that live on each."""
        found: dict[str, list[int]] = {node: [] for node in self._nodes.values()}
        for rank, pid in self._pids.items():
            found[self._nodes[rank]].append(pid)
        return found

    async def give_up(self, reason: str) -> None:
        """Take no more trials; every call that waits ends with ``reason``."""
        async with self._changed:
            self._given_up = self._given_up or reason
            self._closing = True
            self._changed.notify_all()

    async def close(self) -> None:
        """Let the workers return from their loop once no command is left."""
        async with self._changed:
            self._closing = True
            self._changed.notify_all()

    # ---- the host's side ---------------------------------------------------------------------

    async def execute(self, kind: Kind, task: TrialTask | None = None) -> Outcome:
        """Have every rank of the group as it is now carry out one command.

        Returns:
            Rank 0's outcome.

        Raises:
            GroupHungError: it took too long over the command.
            GroupLostError: the group did not survive the command.
            FaultError: every rank reported an error, or the slot is given up.
        """
        await self._until_whole()
        self.check_given_up()
        async with self._changed:
            token, index = self._token, len(self._commands)
            self._commands.append(Command(kind, task))
            self._changed.notify_all()
        await self._until_done(kind, token, index)
        self.check_given_up()
        worst = self._worst(index)
        if token != self._token:
            raise loss_of(worst)
        if self._broken(index):
            self._retire()
            raise loss_of(worst)
        self._outcomes.pop(index - 1, None)  # every rank has read the verdict before this one
        if worst:
            raise FaultError(worst.error or "", worst.fault)
        return self._outcomes[index][0]

    def check_given_up(self) -> None:
        """Raise FaultError if no more trials are taken."""
        if self._given_up:
            raise FaultError(self._given_up, Fault.SLOT)

    # ---- inside ------------------------------------------------------------------------------

    async def _until_done(self, kind: Kind, token: str | None, index: int) -> None:
        """Wait for the outcomes of a command; ranks that take too long over it are ended."""
        begun, limit = time.monotonic(), self._deadlines.of(kind)
        try:
            await self._until(lambda: self._done(token, index) or self._given_up is not None, limit)
        except TimeoutError:
            missing = sorted(set(self._pids) - set(self._outcomes.get(index, {})))
            for rank in missing:
                self._end(self._nodes[rank], self._pids[rank])
            await self.disband()
            ranks = ", ".join(str(rank) for rank in missing)
            raise GroupHungError(f"{kind}: rank {ranks} hung for {limit:.0f} s") from None
        if token == self._token and not self._errors(index):
            self._deadlines.took(kind, time.monotonic() - begun)

    async def _until_whole(self) -> None:
        """Wait for all ranks; a group that was there and does not come back is given up."""
        limit = self._rejoin_s if self.lost else None
        try:
            await self._until(lambda: self._whole() or self._given_up is not None, limit)
        except TimeoutError:
            await self.give_up(f"its workers did not come back within {limit:g} s")

    async def _until(self, ready: Callable[[], bool], timeout: float | None = None) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(ready), timeout)

    def _retire(self) -> None:
        if self._token:
            self._past_tokens.add(self._token)
        self._token, self._pids = None, {}

    def _whole(self) -> bool:
        return len(self._pids) == self._num_workers

    def _done(self, token: str | None, index: int) -> bool:
        return token != self._token or len(self._outcomes.get(index, {})) == self._num_workers

    def _broken(self, index: int) -> bool:
        """Whether the outcomes of a finished command end the group rather than the trial."""
        errors = self._errors(index)
        ends_it = any(outcome.fault in (Fault.SLOT, Fault.MEMORY) for outcome in errors)
        return bool(errors) and (len(errors) < self._num_workers or ends_it)

    def _worst(self, index: int) -> Outcome | None:
        """The error that says most; a rank alone with one has left the others in a collective."""
        errors = self._errors(index)
        telling = [o for o in errors if o.fault in (Fault.STORAGE, Fault.MEMORY)] or errors
        if telling and telling[0].fault is Fault.SETTINGS and len(errors) < self._num_workers:
            return Outcome(error=telling[0].error, fault=Fault.SLOT)
        return telling[0] if telling else None

    def _errors(self, index: int) -> list[Outcome]:
        outcomes = self._outcomes.get(index, {})
        return [outcomes[rank] for rank in sorted(outcomes) if outcomes[rank].error]
