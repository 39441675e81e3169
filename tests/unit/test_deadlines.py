"""Ranks that hang: how long they are waited for, and what becomes of their trial."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_group import HANGS, asynchronous, begin, serving, told

from raysearch.workers.deadlines import Deadlines
from raysearch.workers.hung_worker import _kill


def seen(*took):
    deadlines = Deadlines(short_s=60, long_s=300)
    for kind, seconds in took:
        deadlines.took(kind, seconds)
    return deadlines


@pytest.mark.parametrize("kind", ["start", "epoch", "finish", "drop"])
def test_a_first_command_may_take_as_long_as_it_likes(kind):
    assert Deadlines().of(kind) is None


@pytest.mark.parametrize(
    ("took", "kind", "limit"),
    [
        ([("start", 2), ("epoch", 1)], "epoch", 60),
        ([("start", 2), ("epoch", 30), ("epoch", 20)], "epoch", 300),
        # Another trial's model may be a much larger one.
        ([("start", 2), ("epoch", 3), ("start", 2)], "epoch", 300),
        ([("start", 2), ("epoch", 30), ("start", 2)], "epoch", 1500),
        ([("start", 2), ("epoch", 30), ("start", 2), ("epoch", 1)], "epoch", 60),
        ([("start", 2)], "epoch", None),
        ([("start", 2)], "start", 300),
        ([("start", 40)], "start", 800),
        ([("start", 2)], "finish", 60),
        ([("start", 2), ("epoch", 30)], "finish", 300),
    ],
)
def test_what_commands_took_before_says_how_long_one_may_take(took, kind, limit):
    assert seen(*took).of(kind) == limit


class Ender:
    """Takes down the ranks it is told to, as the death of one does to all the group."""

    def __init__(self):
        self.ended, self.group = [], None

    def __call__(self, node, pid):
        self.ended.append((node, pid))
        self.group.kill()


def hanging(faults, **limits):
    ender = Ender()
    quick = Deadlines(short_s=0.1, long_s=0.2)
    return ender, serving(epochs=5, faults=faults, deadlines=quick, end=ender, **limits)


@asynchronous
async def test_a_rank_that_hangs_is_ended_and_its_trial_goes_elsewhere():
    # Rank 0 waits in the same epoch for the other: whoever has not answered is ended.
    ender, service = hanging({(0, rank, "epoch", 2): HANGS for rank in (0, 1)})
    async with service as (host, group):
        ender.group = group
        await begin(host, 7)
        assert [(await host.step(0, i)).epoch for i in range(2)] == [1, 2]
        answer = await host.step(0, 2)
        assert told(answer) == {
            "failed": "epoch: rank 0, 1 hung for 0 s",
            "attempt": 1,
            "fault": "slot",
        }
        assert ender.ended == [("", 0), ("", 1)]
        # The slot takes the next trial with a new group.
        assert told(await begin(host, 8, booking=1)) == {"attempt": 1}
        assert (await host.step(1, 0)).epoch == 1
        assert group.incarnation == 1


@asynchronous
async def test_a_hung_checkpoint_keeps_nobody_waiting():
    ender, service = hanging({(0, 1, "finish", 1): HANGS})
    async with service as (host, group):
        ender.group = group
        await begin(host, 7)
        await host.step(0, 0)
        await host.let_go(7)
        assert told(await host.step(0, 1)) == {"attempt": 1, "done": True}
        assert ender.ended == [("", 1)]


@asynchronous
async def test_a_slot_on_which_everything_hangs_is_given_up():
    ender, service = hanging({(None, 1, "start", 0): HANGS}, max_restarts=2)
    async with service as (host, group):
        ender.group = group
        host.channel._deadlines.took("start", 0.01)
        answers = [await begin(host, number, booking=number) for number in range(3)]
        assert [answer.slot_lost for answer in answers] == [False, False, True]
        assert "lost 3 times" in answers[-1].failed


@asynchronous
async def test_an_epoch_within_its_time_is_left_alone():
    ender, service = hanging({})
    async with service as (host, group):
        ender.group = group
        await begin(host, 7)
        for index in range(5):
            await host.step(0, index)
            await asyncio.sleep(0.15)  # between commands nobody is late
        assert ender.ended == []


def test_only_workers_of_ray_are_ended():
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    other = subprocess.Popen(command)
    worker = subprocess.Popen(["ray::RayTrainWorker", *command[1:]], executable=command[0])
    name = Path(f"/proc/{worker.pid}/cmdline")
    deadline = time.monotonic() + 30
    while not name.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.01)  # a process has none while it begins
    try:
        _kill(other.pid)
        _kill(worker.pid)
        assert worker.wait(10) == -9
        assert other.poll() is None
    finally:
        other.kill()
        worker.kill()
        other.wait()
        worker.wait()
