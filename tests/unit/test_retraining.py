"""Retrainings whose slots fail them: others take them over, and a storage that is full may pass."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from fake_group import task

from raysearch.errors import InfrastructureError, TrialError
from raysearch.evaluation import retraining


class Slots:
    """A pool of two slots; ``fails`` says what a slot raises for its next retrainings."""

    def __init__(self, **fails):
        self.slots = [SimpleNamespace(index=n, staying=True, ready=True) for n in range(2)]
        self.fails = {int(name.removeprefix("slot_")): errors for name, errors in fails.items()}
        self.done = []

    def train(self, pool, slot, task):
        assert pool is self
        if errors := self.fails.get(slot.index):
            raise errors.pop(0)
        self.done.append((slot.index, task.number))


@pytest.fixture
def retrain(monkeypatch):
    monkeypatch.setattr(retraining.time, "sleep", lambda seconds: None)
    said = []

    def carried_out(pool):
        monkeypatch.setattr(retraining, "_train", pool.train)
        tasks = [replace(task(run="/run"), folder=f"/run/refit/seed-{n}") for n in range(5)]
        retraining.retrain(pool, tasks, said.append)
        return said

    return carried_out


def test_what_a_lost_slot_had_is_trained_on_another(retrain):
    pool = Slots(slot_0=[InfrastructureError("its host died")])
    retrain(pool)
    assert sorted(number for _, number in pool.done) == [0, 1, 2, 3, 4]
    assert {slot for slot, _ in pool.done} == {1}


def test_a_storage_that_is_full_for_a_moment_is_waited_for(retrain):
    full = [retraining._StorageFailedError("no room") for _ in range(3)]
    pool = Slots(slot_0=list(full), slot_1=list(full))
    said = retrain(pool)
    assert sorted(number for _, number in pool.done) == [0, 1, 2, 3, 4]
    assert sum("rests for" in line for line in said) >= 3


def test_slots_that_are_all_lost_end_it(retrain):
    pool = Slots(slot_0=[InfrastructureError("one")], slot_1=[InfrastructureError("two")])
    with pytest.raises(InfrastructureError, match=r"one|two"):
        retrain(pool)


def test_a_retraining_that_fails_by_itself_is_told(retrain):
    pool = Slots(slot_0=[TrialError("it diverged")], slot_1=[TrialError("it diverged")])
    with pytest.raises(TrialError, match="diverged"):
        retrain(pool)
