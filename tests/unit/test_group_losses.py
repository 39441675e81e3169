"""What a worker group does about errors, lost ranks, and starts that lead nowhere."""

from dataclasses import replace

import pytest
from fake_group import (
    DIES,
    EVERY_RANK,
    HANGS,
    asynchronous,
    begin,
    serving,
    settle,
    steps,
    task,
    told,
)

from raysearch.workers.commands import Outcome
from raysearch.workers.faults import Fault


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
