"""Who gets how many slots of a shared cluster."""

from hypothesis import given
from hypothesis import strategies as st

from raysearch.ray_cluster.fair_share import Claim, divide
from raysearch.ray_cluster.resources import Node, Plan


def claim(search, slots, priority=0, share=1.0, workers=1, cpus=1, gpus=0.0, held=0, arrived=None):
    plan = Plan(slots, workers, cpus, gpus)
    arrived = ord(search[0]) if arrived is None else arrived
    return Claim(search, priority, share, plan, held, arrived)


def slots(claims, nodes):
    return {search: grant.slots for search, grant in divide(claims, nodes).items()}


def test_one_search_gets_what_it_asks_for():
    assert slots([claim("a", 3)], [Node(8, 0)]) == {"a": 3}
    assert slots([claim("a", 30)], [Node(8, 0)]) == {"a": 8}


def test_equal_searches_get_equal_parts():
    assert slots([claim("a", 30), claim("b", 30)], [Node(8, 0)]) == {"a": 4, "b": 4}
    assert slots([claim("a", 30), claim("b", 1)], [Node(8, 0)]) == {"a": 7, "b": 1}
    # Parts of the cluster, not numbers of slots.
    assert slots([claim("a", 30), claim("b", 30, cpus=2)], [Node(8, 0)]) == {"a": 4, "b": 2}


def test_the_scarcer_resource_counts():
    nodes = [Node(8, 2), Node(8, 2)]
    found = slots([claim("a", 30, gpus=1.0), claim("b", 30, cpus=4)], nodes)
    assert found["a"] >= 2
    assert found["b"] == 2


def test_priority_comes_first():
    claims = [claim("a", 30), claim("b", 3, priority=1), claim("c", 30, priority=2, share=0.5)]
    assert slots(claims, [Node(8, 0)]) == {"a": 1, "b": 3, "c": 4}


def test_a_share_is_a_limit_but_for_the_first_slot():
    assert slots([claim("a", 30, share=0.25)], [Node(8, 0)]) == {"a": 2}
    assert slots([claim("a", 30, share=0.01)], [Node(8, 0)]) == {"a": 1}


def test_who_has_to_wait_is_told_why():
    claims = [claim("a", 1), claim("b", 1), claim("c", 1), claim("d", 1)]
    grants = divide(claims, [Node(2, 0)])
    assert [grants[name].slots for name in "abcd"] == [1, 1, 0, 0]
    assert grants["a"].reason == ""
    assert "place 1" in grants["c"].reason
    assert "a (1), b (1)" in grants["c"].reason
    assert "1 worker of 1 CPU" in grants["c"].reason
    assert "place 2" in grants["d"].reason
    alone = divide([claim("a", 1, gpus=1.0)], [Node(2, 0)])
    assert (
        alone["a"].reason
        == "waiting for a node that has room for a slot (1 worker of 1 CPU + 1 GPU)"
    )


def test_what_is_held_is_not_taken_away():
    claims = [claim("a", 2, held=2), claim("b", 30, priority=9)]
    assert slots(claims, [Node(3, 0)]) == {"a": 2, "b": 1}


def test_workers_of_a_slot_are_placed_all_or_none():
    nodes = [Node(3, 0), Node(3, 0)]
    assert slots([claim("a", 9, workers=2, cpus=2)], nodes) == {"a": 1}
    assert slots([claim("a", 9, workers=3, cpus=2), claim("b", 9)], nodes) == {"a": 0, "b": 6}


many = st.lists(
    st.tuples(
        st.integers(1, 9),
        st.integers(0, 2),
        st.floats(0.1, 1),
        st.integers(1, 3),
        st.integers(1, 4),
        st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    ),
    min_size=1,
    max_size=5,
)


@given(many, st.lists(st.tuples(st.integers(1, 8), st.integers(0, 4)), min_size=1, max_size=4))
def test_never_more_than_there_is_and_nobody_starves_beside_room(wishes, sizes):
    claims = [
        claim(chr(97 + i), n, priority, share, 1 if gpus % 1 else workers, cpus, gpus)
        for i, (n, priority, share, workers, cpus, gpus) in enumerate(wishes)
    ]
    nodes = [Node(float(cpus), float(gpus)) for cpus, gpus in sizes]
    found = slots(claims, nodes)
    plans = {c.search: c.plan for c in claims}
    used = [
        sum(found[s] * p.workers * part(p) for s, p in plans.items())
        for part in (lambda p: p.cpus_per_worker, lambda p: p.gpus_per_worker)
    ]
    assert used[0] <= sum(node.cpus for node in nodes) + 1e-9
    assert used[1] <= sum(node.gpus for node in nodes) + 1e-9
    for one in claims:
        assert found[one.search] <= one.plan.slots
    if not any(found.values()):
        # Only because no search's slot fits at all.
        assert all(slots([one], nodes)[one.search] == 0 for one in claims)
