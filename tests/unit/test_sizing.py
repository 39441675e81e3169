"""How many slots a machine's memory has room for, and what is said of it."""

import pytest

from raysearch.ray_cluster.resources import Plan
from raysearch.workers.open_pool import within_memory


def plan(slots, workers=1, most=None):
    return Plan(slots, workers, cpus_per_worker=1, gpus_per_worker=0, max_workers=most)


@pytest.mark.parametrize(
    ("slots", "workers", "free", "local", "expected"),
    [
        (4, 1, 32e9, True, 4),
        (64, 1, 16e9, True, 12),
        (64, 4, 16e9, True, 4),
        # On a cluster the head holds hosts and controllers; workers have their own nodes.
        (64, 4, 16e9, False, 35),
        (2, 1, 0.5e9, True, 1),
        (2, 1, -1e9, True, 1),
    ],
)
def test_slots_are_bounded_by_memory(slots, workers, free, local, expected):
    found, line = within_memory(plan(slots, workers), free, local=local)
    assert found == plan(expected, workers)
    assert bool(line) == (expected < slots)


def test_a_group_that_may_grow_counts_with_all_its_workers():
    assert within_memory(plan(64, most=4), 16e9, local=True)[0] == plan(4, most=4)
    assert within_memory(plan(64, most=4), 16e9, local=False)[0] == plan(35, most=4)


def test_what_bounds_the_slots_is_said():
    line = within_memory(plan(64), 16e9, local=True)[1]
    assert line == (
        "slots: 12 of 64, as a slot takes about 1.3 GB of this machine's memory beside its model, "
        "and 16.0 GB are free"
    )


def test_slots_that_were_asked_for_stay_with_a_warning():
    found, line = within_memory(plan(64), 16e9, local=True, asked=True)
    assert found.slots == 64
    assert line.startswith("64 slots may be more than fit: a slot takes about 1.3 GB")
