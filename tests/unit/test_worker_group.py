"""A worker group and its host: trials in order, their tasks, what is let go, giving up."""

import asyncio

import pytest
from fake_group import (
    EVERY_RANK,
    HANGS,
    asynchronous,
    begin,
    failure,
    serving,
    settle,
    steps,
    task,
    told,
)

from raysearch.workers.commands import Outcome
from raysearch.workers.host import WorkerGroupHost


@asynchronous
async def test_a_trial_runs_in_order_and_rank_0_answers():
    async with serving(epochs=3) as (host, group):
        assert told(await begin(host, 7)) == {"attempt": 1}
        results = await steps(host, 3)
        assert [r.epoch for r in results] == [1, 2, 3]
        assert [r.done for r in results] == [False, False, True]
        assert {r.num_params for r in results} == {0}
        assert {r.attempt for r in results} == {1}
        assert group.kinds() == ["start", "epoch", "epoch", "epoch"]
        assert group.seen[0][2] == task(7)
        assert await host.pids() == {0: 0, 1: 1}
        # A caller that takes over reads again what its predecessor read.
        assert told(await host.begin(0)) == {"attempt": 1}
        assert await steps(host, 3) == results
        assert len(group.seen) == 4


@asynchronous
async def test_a_trial_of_another_run_is_another_though_its_number_is_the_same():
    async with serving(epochs=1) as (host, _):
        for booking, (run, attempt) in enumerate([("one", 1), ("other", 1), ("one", 2)]):
            await host.assign(task(7, run=run), booking)
            assert told(await host.begin(booking)) == {"attempt": attempt}
            await host.step(booking, 0)


@asynchronous
async def test_finish_publishes_and_ends():
    async with serving(epochs=9) as (host, group):
        await begin(host, 7)
        await steps(host, 2)
        await host.let_go(8)
        assert (await host.step(0, 2)).epoch == 3, "it was another's"
        await host.let_go(7)
        last = await host.step(0, 3)
        assert (last.checkpoint, last.done) == ("at-3", True)
        assert await host.step(0, 3) == last, "a caller that takes over is told the same"
        assert group.kinds() == ["start", *["epoch"] * 3, "finish"]
        assert (await host.step(0, 4)).failed == "ended"
        await begin(host, 8, booking=1)
        assert (await host.step(1, 0)).epoch == 1
        assert "drop" not in group.kinds()


@asynchronous
async def test_what_a_command_carried_is_let_go_once_every_rank_has_reported():
    async with serving() as (host, group):
        await begin(host, 7)
        await host.step(0, 0)
        assert group.seen[0][2].number == 7
        assert [(one.kind, one.task) for one in host.channel._commands] == [
            ("start", None),
            ("epoch", None),
        ]


@asynchronous
async def test_a_new_trial_drops_the_running_one_first():
    async with serving(epochs=9) as (host, group):
        await begin(host, 0)
        await host.step(0, 0)
        await begin(host, 1, booking=1)
        assert group.kinds() == ["start", "epoch", "drop", "start"]
        assert (await host.step(0, 1)).failed == "superseded"
        assert (await host.begin(0)).failed == "superseded"
        await host.let_go(0)
        assert (await host.step(1, 0)).epoch == 1


@asynchronous
async def test_a_trial_is_not_begun_while_an_epoch_is_under_way():
    async with serving(epochs=9, faults={(0, 1, "epoch", 0): HANGS}) as (host, group):
        await begin(host, 0)
        step = asyncio.create_task(host.step(0, 0))
        second = asyncio.create_task(begin(host, 1, booking=1))
        await settle()
        assert not step.done()
        assert not second.done()
        assert group.kinds() == ["start", "epoch"]
        group.faults = {}
        group.kill()
        assert (await step).attempt == 2
        assert told(await second) == {"attempt": 1}
        assert group.kinds(1) == ["start", "epoch", "drop", "start"]


@asynchronous
async def test_begin_waits_for_its_lease():
    async with serving() as (host, _):
        early = asyncio.create_task(host.begin(3))
        await settle()
        assert not early.done()
        await host.assign(task(6), 3)
        assert told(await early) == {"attempt": 1}


@asynchronous
async def test_stale_tokens_are_sent_away():
    host = WorkerGroupHost(2)
    for rank in (0, 1):
        await host.join(rank, "old", rank)
    waiting = asyncio.create_task(host.next_command("old", 0))
    await settle()
    assert not waiting.done()
    await host.join(0, "new", 10)
    assert (await waiting).kind == "exit"
    assert (await host.next_command("old", 0)).kind == "exit"
    assert await host.report(1, "old", 0, Outcome()) is False
    # A word that was long under way does not bring a dead incarnation back.
    await host.join(1, "old", 1)
    await host.join(1, "new", 11)
    assert await host.pids() == {0: 10, 1: 11}


@asynchronous
async def test_a_stale_report_does_not_answer_for_the_living():
    host = WorkerGroupHost(2)
    for token in ("old", "new"):
        for rank in (0, 1):
            await host.join(rank, token, rank)
    await host.assign(task(), 0)
    begun = asyncio.create_task(host.begin(0))
    assert (await host.next_command("new", 0)).kind == "start"
    for rank in (0, 1):
        assert await host.report(rank, "old", 0, Outcome(error="ValueError: old")) is False
    await settle()
    assert not begun.done()
    living = [host.report(rank, "new", 0, Outcome()) for rank in (0, 1)]
    assert await asyncio.gather(*living) == [True, True]
    assert told(await begun) == {"attempt": 1}


@asynchronous
async def test_the_named_task_ends_with_its_trial():
    async with serving(epochs=1) as (host, _):
        await begin(host, 0)
        named = asyncio.create_task(host.trial(0))
        await settle()
        assert not named.done()
        await host.step(0, 0)
        await named
        await host.trial(42)  # another trial is none of its business


@asynchronous
async def test_the_named_task_of_a_failed_trial_raises_the_reason():
    async with serving(faults=EVERY_RANK) as (host, _):
        await begin(host, 0)
        named = asyncio.create_task(host.trial(0))
        await steps(host, 2)
        with pytest.raises(RuntimeError, match="loss is nan"):
            await named


@asynchronous
async def test_the_named_task_of_a_dropped_trial_ends():
    async with serving() as (host, _):
        await begin(host, 0)
        named = asyncio.create_task(host.trial(0))
        await settle()
        await begin(host, 1, booking=1)
        await named


@asynchronous
async def test_giving_up_ends_whatever_waits():
    host = WorkerGroupHost(2)
    await host.join(0, "half a group", 0)
    await host.assign(task(), 0)
    waiting = [asyncio.create_task(host.begin(0)), asyncio.create_task(host.pids())]
    await settle()
    assert not any(one.done() for one in waiting)
    await host.give_up("no workers")
    await host.give_up("a later reason")
    begun, pids = await asyncio.gather(*waiting)
    assert told(begun) == {**failure("no workers"), "slot_lost": True}
    assert pids == {0: 0}
    assert (await host.next_command("half a group", 0)).kind == "exit"


@asynchronous
async def test_giving_up_in_an_epoch_ends_it():
    async with serving(faults={(0, 1, "epoch", 1): HANGS}) as (host, _):
        await begin(host)
        await host.step(0, 0)
        step = asyncio.create_task(host.step(0, 1))
        await settle()
        await host.give_up("Ray Train gave up")
        assert told(await step) == {**failure("Ray Train gave up"), "slot_lost": True}


@asynchronous
async def test_closing_lets_the_ranks_go():
    async with serving() as (host, group):
        await begin(host)
        await host.step(0, 0)
        await host.close()
        await settle()
        assert sorted(group.ends) == [(0, 0, "exit"), (0, 1, "exit")]
