"""Batches are made ahead by a thread: in order, each pinned, and no longer than they are wanted."""

import threading

import pytest
import torch

from raysearch.streaming.prefetch import BATCHES_AHEAD, PrefetchReader


class Counting:
    """A reader of numbers: batch n is a tensor that holds n."""

    def __init__(self, fails_at=None):
        self.stats = {}
        self.fails_at, self.made, self.left, self.closed = fails_at, 0, False, False

    def read(self, batches):
        try:
            for number in batches:
                if number == self.fails_at:
                    raise OSError("the disk has gone")
                self.made += 1
                yield {"mel": torch.tensor(float(number))}
        finally:
            self.left = True

    def close(self):
        self.closed = True


def pin(x):
    assert threading.current_thread().name.startswith("prefetch")
    return x + 0.5


def prefetch_threads():
    return [t for t in threading.enumerate() if t.name.startswith("prefetch")]


@pytest.mark.parametrize("num_batches", [0, 1, 7])
def test_all_batches_come_in_order_each_pinned(num_batches):
    found = [
        inputs["mel"].item() for inputs in PrefetchReader(Counting(), pin).read(range(num_batches))
    ]
    assert found == [number + 0.5 for number in range(num_batches)]
    assert prefetch_threads() == []


def test_a_few_are_made_ahead_and_leaving_ends_the_pass():
    reader = Counting()
    passing = PrefetchReader(reader, pin).read(range(100))
    next(passing)
    passing.close()
    assert 1 <= reader.made <= 2 + BATCHES_AHEAD
    assert reader.left
    assert prefetch_threads() == []


def test_an_error_comes_at_its_batch():
    passing = PrefetchReader(Counting(fails_at=2), pin).read(range(9))
    assert [next(passing)["mel"].item(), next(passing)["mel"].item()] == [0.5, 1.5]
    with pytest.raises(OSError, match="the disk"):
        next(passing)
    assert prefetch_threads() == []


def test_it_closes_its_reader():
    reader = Counting()
    PrefetchReader(reader, pin).close()
    assert reader.closed
