"""Trials that were let go, until their weights are written or lost."""

import pytest
from fake_slots import FakeSearch, small_spec


@pytest.fixture
def pruning(tmp_path):
    """A search of two slots whose trial on slot 0 has just been let go, and its number."""
    spec = small_spec(search__scheduler="none", search__trials=2)
    search = FakeSearch(tmp_path / "run", spec, num_slots=2, checkpoint_every=9)
    search.fill()
    number = search.slots.workers[0].task.number
    search.conductor._judge.end = lambda record, epoch, done: done or record.number == number
    assert search.conductor.take(search.slots.workers[0].step()) is False
    return search, number


@pytest.mark.parametrize("dead", [False, True])
def test_a_pruned_trial_whose_weights_are_lost_is_not_trained_again(pruning, dead):
    search, number = pruning
    if dead:
        search.slots.dead.add(0)
    search.conductor.lost(number, "killed")
    del search.slots.workers[0]
    record = search.trials.records[number]
    assert (record.status, record.attempts, record.checkpoint) == ("pruned", 1, None)
    assert search.slots.lost == ({0} if dead else set())
    search.run()
    assert search.conductor.error is None
    assert search.ends().keys() == {0, 1}
    assert search.events("resumed") == []


def test_nobody_waits_for_the_weights_of_a_trial_that_ends(pruning):
    search, number = pruning
    assert number not in search.ends()
    assert not search.conductor.idle
    search.step(1)
    assert search.trials.records[1 - number].last_epoch == 1
    last = search.slots.workers.pop(0).step()
    assert search.conductor.take(last) is True
    told = [event.event for event in search.events() if event.number == number]
    assert told[-3:] == ["epoch", "checkpoint", "pruned"]
    assert search.slots.free() == [0]


def test_a_trial_that_had_begun_its_last_epoch_ends_with_that(pruning):
    search, number = pruning
    worker = search.slots.workers.pop(0)
    worker.let_go = False  # its host was slow to hear
    while not (report := worker.step()).done:
        assert search.conductor.take(report) is False
    assert search.conductor.take(report) is True
    record = search.trials.records[number]
    assert record.status == "pruned"
    assert sorted(record.epochs) == [1, 2, 3, 4], "what was trained is written down"
    assert record.checkpoint == (record.checkpoint[0], 4)
    assert search.slots.free() == [0]


def test_the_last_slot_may_go_with_the_last_word_of_a_search(tmp_path):
    spec = small_spec(search__scheduler="none", search__trials=1)
    search = FakeSearch(tmp_path / "run", spec, checkpoint_every=9)
    search.fill()
    search.conductor._judge.end = lambda record, epoch, done: True
    assert search.conductor.take(search.slots.workers[0].step()) is False
    search.slots.dead.add(0)
    search.conductor.lost(0, "killed")
    assert search.slots.lost == {0}
    assert (search.trials.records[0].status, search.conductor.error) == ("pruned", None)
    assert search.conductor.finished
    assert search.conductor.stopping is None
