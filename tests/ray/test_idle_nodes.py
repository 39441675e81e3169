"""What keeps a node busy to an autoscaler, and until when."""

import time

import pytest
import ray

from raysearch.streaming.node_cache import _MADE_HERE, SlotCaches, _name

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("cluster")]


def gone(name):
    """Whether the actor of that name ends within half a minute."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            ray.get_actor(name)
        except ValueError:
            return True
        time.sleep(0.2)
    return False


def test_a_cache_ends_with_its_nodes_last_slot():
    node = ray.get_runtime_context().get_node_id()
    name = _name(node)
    _MADE_HERE.pop(name, None)  # another test's
    assert gone(name)
    caches = SlotCaches()
    for slot in (0, 1):
        caches.use(slot, {node})
    caches.keep({1})
    assert ray.get(ray.get_actor(name).state.remote()) == {}
    caches.keep(())
    assert gone(name)
