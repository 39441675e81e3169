"""Slots from nodes: what fits, what is refused, and the arithmetic that is said."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysearch.errors import ResourceError
from raysearch.ray_cluster.resources import (
    Node,
    cluster_nodes,
    local_node,
    plan_slots,
)


def plan(nodes, workers=1, cpus=1, gpus=None, slots=None, trials=100, growing=False):
    return plan_slots(
        nodes,
        workers=workers,
        cpus_per_worker=cpus,
        gpus_per_worker=gpus,
        slots=slots,
        trials=trials,
        growing=growing,
    )


@pytest.mark.parametrize(
    ("nodes", "wishes", "slots", "gpus"),
    [
        ([Node(2, 0)], {}, 2, 0),
        ([Node(2, 0)], {"workers": 2}, 1, 0),
        ([Node(8, 0)], {"cpus": 3}, 2, 0),
        ([Node(7, 0), Node(5, 0)], {"cpus": 3}, 3, 0),
        ([Node(3, 0), Node(3, 0)], {"cpus": 2, "workers": 2}, 1, 0),
        ([Node(8, 0)], {"trials": 3}, 3, 0),
        ([Node(8, 0)], {"slots": 2}, 2, 0),
        ([Node(8, 0)], {"slots": 8, "trials": 3}, 3, 0),
        ([Node(16, 4)], {}, 4, 1),
        ([Node(16, 4)], {"gpus": 2}, 2, 2),
        ([Node(16, 4)], {"gpus": 0}, 16, 0),
        ([Node(16, 1)], {"gpus": 0.25}, 4, 0.25),
        ([Node(16, 2)], {"gpus": 0.3}, 6, 0.3),
        # A share lies on one device: what is left over on several makes no further worker.
        ([Node(16, 4)], {"gpus": 0.3}, 12, 0.3),
        ([Node(16, 3)], {"gpus": 0.7}, 3, 0.7),
        ([Node(2, 1)], {"gpus": 0.25}, 2, 0.25),
        ([Node(16, 4)], {"workers": 2}, 2, 1),
        ([Node(64, 0), Node(4, 8)], {}, 4, 1),
    ],
)
def test_what_fits(nodes, wishes, slots, gpus):
    found = plan(nodes, **wishes)
    assert (found.slots, found.gpus_per_worker) == (slots, gpus)


@pytest.mark.parametrize(
    ("nodes", "wishes", "message"),
    [
        (
            [Node(2, 0)],
            {"slots": 3},
            r"3 slots x 1 worker x 1 CPU can never fit: there are 2 CPUs and 0 GPUs on 1 node, "
            r"enough for 2 slots; lower --slots, ",
        ),
        ([Node(2, 0)], {"cpus": 4}, r"1 slot x 1 worker x 4 CPU can never fit.*for 0 slots"),
        ([Node(3, 0), Node(3, 0)], {"cpus": 4}, r"6 CPUs and 0 GPUs on 2 nodes, enough for 0"),
        ([Node(8, 0)], {"gpus": 1.0}, r"1 worker x 1 CPU \+ 1 GPU can never fit"),
        ([Node(8, 1)], {"workers": 2}, r"2 workers x 1 CPU \+ 1 GPU can never fit"),
        ([Node(8, 2)], {"workers": 2, "gpus": 0.5}, r"a share of a GPU goes with one worker"),
        ([Node(8, 2)], {"gpus": 1.5}, r"set --workers 1 or whole GPUs"),
        ([], {}, r"0 CPUs and 0 GPUs on 0 nodes"),
    ],
)
def test_what_can_never_fit_is_refused_with_the_arithmetic(nodes, wishes, message):
    with pytest.raises(ResourceError, match=message):
        plan(nodes, **wishes)


NODES = st.lists(
    st.builds(Node, st.integers(0, 32).map(float), st.integers(0, 8).map(float)), max_size=5
)
GPUS = st.none() | st.sampled_from([0.0, 0.1, 0.2, 0.25, 0.3, 1 / 3, 0.5, 0.7, 1.0, 2.0, 3.0])


def places(node, cpus, gpus):
    """Workers that Ray could put on ``node``, one after the other; a share lies on one device."""
    free_cpus, devices = node.cpus, [1.0] * int(node.gpus)
    placed = 0
    while free_cpus >= cpus:
        if gpus >= 1:
            whole = [i for i, free in enumerate(devices) if free == 1.0][: int(gpus)]
            if len(whole) < gpus:
                break
            devices = [0.0 if i in whole else free for i, free in enumerate(devices)]
        elif gpus:
            roomy = [i for i, free in enumerate(devices) if free >= gpus - 1e-9]
            if not roomy:
                break
            devices[roomy[0]] -= gpus
        free_cpus -= cpus
        placed += 1
    return placed


@given(
    nodes=NODES,
    workers=st.integers(1, 6),
    cpus=st.integers(1, 9),
    gpus=GPUS,
    slots=st.none() | st.integers(1, 12),
    trials=st.integers(1, 20),
)
def test_never_more_workers_than_the_nodes_can_hold(nodes, workers, cpus, gpus, slots, trials):
    share = gpus if gpus is not None else float(any(node.gpus for node in nodes))
    room = sum(places(node, cpus, share) for node in nodes) // workers
    shared = 0 < share < 1 and workers > 1
    if shared or (slots or 1) > room:
        with pytest.raises(ResourceError) as caught:
            plan(nodes, workers, cpus, gpus, slots, trials)
        assert "\n" not in str(caught.value)
        return
    found = plan(nodes, workers, cpus, gpus, slots, trials)
    assert 1 <= found.slots <= min(room, trials, slots or math.inf)
    assert found.slots == min(slots or room, trials)
    assert (found.workers, found.cpus_per_worker) == (workers, cpus)
    assert found.resources_per_worker == ({"CPU": cpus, "GPU": share} if share else {"CPU": cpus})


@pytest.mark.parametrize(
    ("nodes", "wishes", "line"),
    [
        ([Node(2, 0)], {}, "2 trials at a time, each on 1 worker of 1 CPU"),
        (
            [Node(8, 2)],
            {"workers": 2, "cpus": 3},
            "1 trial at a time, each on 2 workers of 3 CPU + 1 GPU",
        ),
    ],
)
def test_a_plan_in_words(nodes, wishes, line):
    assert plan(nodes, **wishes).describe() == line


def test_dead_nodes_do_not_count():
    nodes = [
        {"Alive": True, "Resources": {"CPU": 4.0, "memory": 1e9}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
        {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 1.0}},
        {"Alive": True, "Resources": {}},
    ]
    assert cluster_nodes(nodes) == [Node(4, 0), Node(8, 1), Node(0, 0)]


def test_this_machine_offers_something():
    assert local_node().cpus >= 1


def test_on_a_growing_cluster_slots_are_a_limit_of_which_one_must_fit():
    assert plan([Node(2, 0)], slots=8, growing=True).slots == 8
    assert plan([Node(2, 0)], trials=20, growing=True).slots == 20
    with pytest.raises(ResourceError, match="can never fit"):
        plan([Node(2, 0)], cpus=4, slots=8, growing=True)


def test_a_slot_of_changing_size_needs_the_least_of_its_workers():
    found = plan_slots(
        [Node(4, 0)],
        workers=2,
        max_workers=8,
        cpus_per_worker=1,
        gpus_per_worker=None,
        slots=1,
        trials=9,
    )
    assert (found.slots, found.workers, found.most_workers) == (1, 2, 8)
    assert found.describe_slot() == "2 to 8 workers of 1 CPU"
