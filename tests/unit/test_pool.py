"""The size of a pool that follows a cluster; its slots here have no workers."""

import itertools

import pytest

from raysearch.ray_cluster.resources import Plan
from raysearch.workers import pool as pool_module
from raysearch.workers.pool import WorkerPool


class FakeSlot:
    """As a slot is seen by its pool."""

    def __init__(self, index, *_, **limits):
        self.limits = limits
        self.index, self.ready, self.busy, self.leaving, self.closed = (
            index,
            True,
            False,
            False,
            False,
        )
        self.num_rests, self.rests_until = 0, 0.0

    @property
    def staying(self):
        return not (self.leaving or self.closed)

    def vacate(self, reason):
        self.leaving = True
        self.closed = not self.busy

    def close(self):
        self.closed = True


@pytest.fixture
def pool(monkeypatch, tmp_path):
    monkeypatch.setattr(pool_module, "Slot", FakeSlot)
    plan = Plan(slots=3, workers=1, cpus_per_worker=1, gpus_per_worker=0)
    return WorkerPool(plan, "one", tmp_path, elastic=True)


def test_its_slots_wait_for_a_worker_as_long_as_was_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(pool_module, "Slot", FakeSlot)
    plan = Plan(slots=1, workers=1, cpus_per_worker=1, gpus_per_worker=0)
    pool = WorkerPool(plan, "one", tmp_path, elastic=True, hang_s=20)
    pool.resize(1)
    deadlines = pool.slots[0].limits["deadlines"]
    deadlines.took("start", 1)
    assert (deadlines.of("finish"), deadlines.of("start")) == (20, 60)


def test_it_opens_and_closes_the_idle_first(pool):
    pool.resize(9)
    assert pool.free() == [0, 1, 2]
    assert pool.claim() == 0
    pool.resize(2)
    assert (pool.free(), pool.num_open()) == ([1], 2)
    pool.resize(1)
    assert (pool.free(), pool.num_open()) == ([], 1)
    pool.resize(0)
    assert not pool.slots[0].closed, "its trial has to publish first"
    pool.release(0)
    assert pool.slots[0].closed
    assert pool.claim() is None


def test_a_claimed_slot_is_not_closed_before_its_trial_comes(pool):
    pool.resize(1)
    assert pool.claim() == 0
    pool.follow(0)
    assert not pool.slots[0].closed
    pool.release(0)
    assert pool.slots[0].closed


def test_a_frozen_pool_keeps_what_it_has(pool):
    pool.resize(2)
    assert pool.freeze() == 2
    pool.follow(0)
    assert pool.num_open() == 2


def test_what_is_idle_closes_once_and_is_not_opened_again(pool):
    pool.resize(3)
    pool.claim()
    for grant in itertools.repeat(3, 5):
        pool.close_idle()
        pool.resize(grant)
    assert len(pool.slots) == 3
    assert pool.num_open() == 1


def test_an_idle_slot_waits_for_the_trial_of_a_vacated_one(pool):
    pool.resize(2)
    pool.claim()
    pool.slots[0].vacate("its node is being taken away")
    for _ in range(5):
        pool.close_idle()
        pool.resize(1)
    assert pool.free() == [1]
    assert len(pool.slots) == 2
    assert pool.lose(0, "its node went away")
    assert pool.claim() == 1
    pool.close_idle()
    assert pool.num_open() == 1


def test_it_is_at_an_end_after_too_many_losses_in_a_row(pool):
    def go_wrong():
        pool.resize(1)
        return pool.lose(pool.claim(), "no workers")

    assert [go_wrong() for _ in range(4)] == [True] * 4
    pool.resize(1)
    pool.release(pool.claim())  # a trial that ended
    assert [go_wrong() for _ in range(6)] == [True] * 5 + [False]


def test_a_slot_rests_longer_each_time_and_is_then_given_up(pool, monkeypatch):
    now, said = [100.0], []
    monkeypatch.setattr(pool_module.time, "monotonic", lambda: now[0])
    pool._say = said.append
    pool.resize(2)
    pauses = []
    for _ in pool_module.REST_SECONDS:
        assert pool.claim() == 0
        assert pool.rest(0, "No space left on device")
        assert pool.free() == [1]
        pauses.append(pool.slots[0].rests_until - now[0])
        now[0] = pool.slots[0].rests_until
        assert pool.free() == [0, 1]
    assert pauses == [2, 4, 8, 16]
    assert said[0] == "slot 0 rests for 2 s: No space left on device"
    pool.claim()
    assert pool.rest(0, "No space left on device"), "there is another"
    assert pool.slots[0].closed
    assert said[-1] == "slot 0 takes no more trials: No space left on device"


def test_a_trial_that_ends_on_a_slot_forgives_its_rests(pool):
    pool.resize(1)
    pool.claim()
    pool.rest(0, "403")
    pool.slots[0].rests_until = 0
    pool.release(pool.claim())
    assert pool.slots[0].num_rests == 0


def test_a_slot_can_be_avoided(pool):
    pool.resize(2)
    assert pool.claim({0}) == 1
    assert pool.claim({0}) is None


def test_what_becomes_of_slots_is_told_as_it_happens(pool, monkeypatch):
    now, heard = [100.0], []
    monkeypatch.setattr(pool_module.time, "monotonic", lambda: now[0])
    pool._hear = lambda news: heard.append((news.slot, news.state, news.reason))
    pool.resize(2)
    assert pool.free() == [0, 1]
    assert pool.free() == [0, 1], "they are told of once"
    assert heard == [
        (0, "starting", ""),
        (1, "starting", ""),
        (0, "free", ""),
        (1, "free", ""),
    ]
    heard.clear()
    pool.claim()
    pool.rest(0, "disk full")
    assert heard == [(0, "resting", "disk full")]
    now[0] += 2
    pool.claim()
    pool.resize(1)
    pool.resize(0)
    pool.release(0)
    smaller = "its share of the cluster became smaller"
    assert heard[1:] == [(1, "closed", smaller), (0, "leaving", smaller), (0, "closed", "")]
    heard.clear()
    pool.resize(2)
    pool.lose(pool.claim(), "no workers")
    assert heard[-1] == (2, "closed", "no workers")
    pool.close_idle()
    assert heard[-1] == (3, "closed", "no trial is left for it")
