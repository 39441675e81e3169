"""A slot that is vacated, or whose workers stay away, lets its trial go on elsewhere."""

import asyncio

from fake_group import DIES, HANGS, asynchronous, begin, serving, settle, task

from raysearch.workers.host import WorkerGroupHost


@asynchronous
async def test_a_vacated_trial_publishes_what_it_holds():
    async with serving(epochs=9, checkpoint_every=4) as (host, group):
        await begin(host, 7)
        for index in range(3):
            await host.step(0, index)
        await host.vacate("its node is being taken away")
        result = await host.step(0, 3)
        assert result.failed == "its node is being taken away"
        assert result.slot_lost
        assert (result.checkpoint, result.attempt) == ("at-3", 1)
        assert group.kinds() == ["start", "epoch", "epoch", "epoch", "finish"]
        # A caller that takes over is told to go elsewhere, too.
        again = await host.step(0, 3)
        assert again.slot_lost
        assert again.failed == "its node is being taken away"


@asynchronous
async def test_a_vacated_trial_that_did_nothing_here_publishes_nothing():
    async with serving(epochs=9) as (host, group):
        await begin(host, 7, resume="at-2")
        await host.vacate("its share of the cluster became smaller")
        result = await host.step(0, 0)
        assert result.slot_lost
        assert result.checkpoint is None
        assert group.kinds() == ["start", "drop"]


@asynchronous
async def test_a_trial_that_ends_first_ends_as_usual():
    async with serving(epochs=1) as (host, _):
        await begin(host, 7)
        assert (await host.step(0, 0)).done
        await host.vacate("its node is being taken away")
        assert (await host.step(0, 0)).done


@asynchronous
async def test_workers_that_stay_away_lose_the_slot():
    async with serving(faults={(0, 1, "epoch", 1): DIES}, rejoin_s=0.2) as (host, group):
        group.run_again = False
        await begin(host, 7)
        assert (await host.step(0, 0)).epoch == 1
        result = await host.step(0, 1)
        assert result.slot_lost
        assert result.failed == "its workers did not come back within 0.2 s"


@asynchronous
async def test_a_lost_group_of_a_vacated_slot_is_not_waited_for():
    async with serving(faults={(0, 1, "epoch", 1): DIES}, rejoin_s=60) as (host, group):
        group.run_again = False
        await begin(host, 7)
        await host.step(0, 0)
        lost = asyncio.create_task(host.step(0, 1))
        await settle()
        assert not lost.done()
        await host.vacate("its share of the cluster became smaller")
        result = await lost
        assert result.slot_lost
        assert result.failed == "its share of the cluster became smaller"


@asynchronous
async def test_a_group_lost_after_its_slot_was_vacated_is_not_waited_for():
    async with serving(faults={(0, 1, "epoch", 1): HANGS}, rejoin_s=60) as (host, group):
        group.run_again = False
        await begin(host, 7)
        await host.step(0, 0)
        lost = asyncio.create_task(host.step(0, 1))
        await settle()
        await host.vacate("its node is being taken away")
        await settle()
        assert not lost.done()
        group.kill()
        result = await lost
        assert result.slot_lost
        assert result.failed == "its node is being taken away"


@asynchronous
async def test_workers_that_were_never_there_are_waited_for():
    host = WorkerGroupHost(1, rejoin_s=0.05)
    await host.assign(task(), 0)
    waiting = asyncio.create_task(host.begin(0))
    await asyncio.sleep(0.2)
    await settle()
    assert not waiting.done()
    await host.give_up("the search ended")
    assert (await waiting).failed == "the search ended"


@asynchronous
async def test_a_host_knows_where_its_workers_are():
    host = WorkerGroupHost(2)
    await host.join(0, "one", 10, "node-a")
    await host.join(1, "one", 11, "node-b")
    assert await host.workers() == {"node-a": [10], "node-b": [11]}
    await host.join(0, "two", 12, "node-b")
    await host.join(1, "two", 13, "node-b")
    assert await host.workers() == {"node-b": [12, 13]}


@asynchronous
async def test_a_group_that_changes_its_size_has_not_failed():
    async with serving(epochs=6, max_attempts=2) as (host, group):
        await begin(host, 7)
        for index in range(3):
            assert (await host.step(0, index)).epoch == index + 1
            await host.resize()
            group.world = 1 + index
            group.kill()
            await settle()
        results = [await host.step(0, index) for index in range(3, 6)]
        assert [r.epoch for r in results] == [4, 5, 6]
        assert results[-1].attempt == 4
        assert len(await host.pids()) == 3
