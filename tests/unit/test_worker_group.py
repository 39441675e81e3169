"""The host of a worker group: order, failures of the trial, failures of the group."""

import asyncio
from dataclasses import replace

import pytest
from fake_group import DIES, HANGS, asynchronous, begin, serving, settle, task, told

from raysearch.workers.commands import Outcome
from raysearch.workers.faults import Fault
from raysearch.workers.host import WorkerGroupHost

EVERY_RANK = {
    (0, rank, "epoch", 1): Outcome(error="NonFiniteLossError: loss is nan") for rank in (0, 1)
}


def failure(reason):
    return {"failed": reason, "attempt": 1, "fault": "slot"}


async def steps(host, count, booking=0, first=0):
    return [await host.step(booking, index) for index in range(first, first + count)]


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
@pytest.mark.parametrize("resizes", [False, True])
async def test_a_group_that_is_lost_with_its_last_word_counts_as_lost(resizes):
    async with serving(faults={(0, 0, "finish", 1): DIES}, max_restarts=0) as (host, _):
        await begin(host, 7)
        await host.step(0, 0)
        await host.let_go(7)
        if resizes:
            await host.resize()
        assert told(await host.step(0, 1)) == {"attempt": 1, "done": True}
        again = await begin(host, 8, booking=1)
        assert again.slot_lost is not resizes
        assert host.channel.take_resizing() is False


@asynchronous
async def test_an_error_of_every_rank_fails_the_trial_and_keeps_the_group():
    async with serving(faults=EVERY_RANK) as (host, group):
        await begin(host, 0)
        await host.step(0, 0)
        reason = "NonFiniteLossError: loss is nan"
        failure = {"failed": reason, "attempt": 1, "fault": "settings"}
        assert told(await host.step(0, 1)) == failure
        assert told(await host.begin(0)) == failure
        group.faults = {}
        assert told(await begin(host, 1, booking=1)) == {"attempt": 1}
        assert [r.epoch for r in await steps(host, 3, booking=1)] == [1, 2, 3]
        assert (group.incarnation, group.ends) == (0, [])
        assert "drop" not in group.kinds(), "a failed trial holds nothing any more"


@asynchronous
@pytest.mark.parametrize("silent", [HANGS, DIES])
async def test_one_rank_s_error_restarts_the_group_and_resumes_the_trial(silent):
    faults = {(0, 0, "epoch", 2): Outcome(error="OSError: disk"), (0, 1, "epoch", 2): silent}
    async with serving(epochs=4, faults=faults, error_grace_s=0.01) as (host, group):
        await begin(host, 5)
        results = await steps(host, 4)
        assert [(r.epoch, r.attempt) for r in results] == [(1, 1), (2, 1), (3, 2), (4, 2)]
        assert group.incarnation == 1
        assert group.kinds(1) == ["start", "epoch", "epoch"]
        start = group.seen[-3][2]
        assert (start.attempt, start.resume) == (2, "at-2")
        if silent == HANGS:
            assert (0, 0, "told to end") in group.ends


@asynchronous
async def test_a_resumed_trial_tells_the_lost_epochs_again():
    faults = {(0, 1, "epoch", 3): DIES}
    async with serving(epochs=5, faults=faults, checkpoint_every=2) as (host, _):
        await begin(host)
        results = await steps(host, 6)
    told = [(r.epoch, r.attempt) for r in results]
    assert told == [(1, 1), (2, 1), (3, 1), (3, 2), (4, 2), (5, 2)]


@asynchronous
async def test_an_error_of_the_slot_restarts_the_group_of_one_rank():
    broken = Outcome(error="RuntimeError: CUDA error", fault=Fault.SLOT)
    async with serving(world=1, epochs=2, faults={(0, 0, "epoch", 1): broken}) as (host, group):
        await begin(host)
        assert [(r.epoch, r.attempt) for r in await steps(host, 2)] == [(1, 1), (2, 2)]
        assert group.ends == [(0, 0, "told to end")]


@asynchronous
async def test_an_error_of_the_settings_fails_the_trial_of_one_rank():
    faults = {(0, 0, "start", 0): Outcome(error="ValueError: no")}
    async with serving(world=1, faults=faults) as (host, group):
        failure = {"failed": "ValueError: no", "attempt": 1, "fault": "settings"}
        assert told(await begin(host)) == failure
        assert told(await host.step(0, 0)) == failure
        assert group.ends == []


@asynchronous
async def test_an_error_of_the_slot_of_every_rank_restarts_the_group():
    broken = Outcome(error="DistNetworkError: reset by peer", fault=Fault.SLOT)
    faults = {(0, rank, "epoch", 0): broken for rank in (0, 1)}
    async with serving(epochs=1, faults=faults) as (host, group):
        await begin(host)
        assert (await host.step(0, 0)).attempt == 2
        assert group.incarnation == 1


@asynchronous
async def test_out_of_memory_has_one_more_try_and_costs_no_slot():
    full = Outcome(error="OutOfMemoryError: CUDA out of memory", fault=Fault.MEMORY)
    faults = {(None, 0, "epoch", 0): full}
    async with serving(world=1, epochs=1, faults=faults, max_restarts=1) as (host, group):
        for booking in range(5):
            await begin(host, booking, booking=booking)
            result = await host.step(booking, 0)
            assert result.failed == "OutOfMemoryError: CUDA out of memory (twice)"
            assert (result.attempt, result.fault) == (2, "settings")
            assert not result.slot_lost
        group.faults = {}
        await begin(host, 5, booking=5)
        assert (await host.step(5, 0)).done
        assert group.incarnation == 10


@asynchronous
async def test_storage_that_is_full_is_nobodys_fault_and_the_group_goes_on():
    full = Outcome(error="OSError: No space left on device", fault=Fault.STORAGE)
    async with serving(faults={(0, rank, "start", 0): full for rank in (0, 1)}) as (host, group):
        failure = {"failed": full.error, "attempt": 1, "fault": "storage"}
        assert told(await begin(host, 3)) == failure
        group.faults = {}
        assert told(await begin(host, 4, booking=1)) == {"attempt": 1}
        assert group.ends == []


@asynchronous
async def test_storage_that_is_full_for_one_rank_restarts_the_group():
    """The other rank waits in a collective that will never be joined."""
    full = Outcome(error="OSError: No space left on device", fault=Fault.STORAGE)
    faults = {(0, 0, "epoch", 1): full, (0, 1, "epoch", 1): HANGS}
    async with serving(faults=faults, error_grace_s=0.05) as (host, group):
        await begin(host, 3)
        await host.step(0, 0)
        assert (await host.step(0, 1)).fault == "storage"
        await begin(host, 4, booking=1)
        assert (await host.step(1, 0)).epoch == 1
        assert group.incarnation == 1


@asynchronous
async def test_a_suspect_has_two_attempts():
    async with serving(faults={(None, 1, "epoch", 0): DIES}) as (host, group):
        await host.assign(replace(task(3), suspect=True), 0)
        await host.begin(0)
        result = await host.step(0, 0)
        assert result.failed == "given up after 2 attempt(s): a worker died"
        assert result.fault == "slot"
        assert group.incarnation == 2


@asynchronous
async def test_a_trial_whose_checkpoint_cannot_be_read_begins_afresh():
    async with serving(epochs=2) as (host, group):
        group.unreadable = {"at-1"}
        assert told(await begin(host, 3, attempt=4, resume="at-1")) == {"attempt": 5}
        results = await steps(host, 2)
        assert [(r.epoch, r.attempt) for r in results] == [(1, 5), (2, 5)]


@asynchronous
async def test_a_group_lost_while_the_trial_starts():
    async with serving(faults={(0, 1, "start", 0): DIES}) as (host, group):
        assert told(await begin(host, attempt=4, resume="at-1")) == {"attempt": 5}
        assert (await host.step(0, 0)).epoch == 2
        assert group.kinds(1) == ["start", "epoch"]


@asynchronous
async def test_a_group_lost_between_epochs():
    async with serving(epochs=3) as (host, group):
        await begin(host)
        await host.step(0, 0)
        await settle()
        group.kill()
        await settle()
        assert group.incarnation == 1
        result = await host.step(0, 1)
        assert (result.epoch, result.attempt) == (2, 2)
        assert group.seen[-2][2].resume == "at-1"


@asynchronous
async def test_a_group_lost_between_trials_costs_no_attempt():
    async with serving(epochs=1) as (host, group):
        await begin(host)
        await host.step(0, 0)
        await settle()
        group.kill()
        await settle()
        assert told(await begin(host, 1, booking=1)) == {"attempt": 1}
        assert group.kinds(1) == ["start"]


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
async def test_attempts_run_out():
    faults = {(None, 1, "epoch", 0): DIES}
    async with serving(faults=faults, max_attempts=2, max_restarts=9) as (host, group):
        await begin(host, 3)
        result = await host.step(0, 0)
        reason = "given up after 2 attempt(s): a worker died"
        assert told(result) == {"failed": reason, "attempt": 2, "fault": "slot"}
        group.faults = {}
        # The slot goes on: an earlier trial's attempts are not the next one's.
        assert told(await begin(host, 4, booking=1)) == {"attempt": 1}
        assert [r.epoch for r in await steps(host, 3, booking=1)] == [1, 2, 3]


@asynchronous
async def test_restarts_without_progress_lose_the_slot():
    faults = {(None, 1, "epoch", 0): DIES}
    async with serving(faults=faults, max_attempts=99, max_restarts=3) as (host, group):
        await begin(host)
        result = await host.step(0, 0)
        assert result.slot_lost
        assert result.failed == "the worker group was lost 4 times: a worker died"
        # A caller that takes over learns it, too, and takes the trial elsewhere.
        assert await host.begin(0) == result
        assert await host.step(0, 1) == result
        group.faults = {}
        later = await begin(host, 1, booking=1)
        assert later.slot_lost, "a slot that was given up takes no trial"


@asynchronous
async def test_a_finished_epoch_is_progress():
    faults = {(i, 1, "epoch", i): DIES for i in range(6)}
    async with serving(epochs=6, faults=faults, max_attempts=99, max_restarts=1) as (host, group):
        await begin(host)
        results = await steps(host, 6)
        assert results[-1].done
        assert (results[-1].attempt, group.incarnation) == (7, 6)


@asynchronous
async def test_losses_between_which_a_trial_gets_further_are_not_held_against_it():
    faults = {(i, 1, "epoch", i): DIES for i in range(6)}
    async with serving(epochs=6, faults=faults, max_attempts=2) as (host, group):
        await begin(host)
        results = await steps(host, 6)
        assert results[-1].done
        assert group.incarnation == 6


@asynchronous
async def test_epochs_that_are_trained_again_are_no_progress():
    faults = {(None, 1, "epoch", 4): DIES}
    limits = {"max_attempts": 3, "checkpoint_every": 2}
    async with serving(world=2, epochs=6, faults=faults, **limits) as (host, _group):
        await begin(host)
        results = await steps(host, 5)
        assert results[-1].failed == "given up after 3 attempt(s): a worker died"


@asynchronous
async def test_what_a_lost_group_held_is_not_trained_again_to_be_published():
    faults = {(0, 1, "finish", 3): DIES}
    async with serving(epochs=9, faults=faults, checkpoint_every=2) as (host, group):
        await begin(host)
        await steps(host, 3)
        await host.let_go(0)
        assert told(await host.step(0, 3)) == {"attempt": 1, "done": True}
        await begin(host, 1, booking=1)
        assert group.kinds(1) == ["start"], "of the next trial"


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
