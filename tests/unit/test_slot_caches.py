"""Where caches of features live, and until when."""

import weakref

import pytest

from raysearch.streaming.node_cache import SlotCaches


class Handle:
    """Of a cache; Ray ends an actor with the last handle of it."""


class Nodes:
    """Makes caches, and knows which of them live."""

    def __init__(self):
        self.made, self._handles = [], weakref.WeakValueDictionary()

    def __call__(self, node):
        self.made.append(node)
        self._handles[node] = handle = Handle()
        return handle

    def living(self):
        return sorted(self._handles)


@pytest.fixture
def nodes():
    return Nodes()


def test_a_cache_lives_where_a_slot_runs_until_its_nodes_last_slot_ends(nodes):
    caches = SlotCaches(nodes)
    assert nodes.living() == []
    caches.use(0, {"a"})
    caches.use(1, {"a", "b"})
    caches.use(2, {"c"})
    assert nodes.living() == ["a", "b", "c"]
    caches.keep({0, 1})
    assert nodes.living() == ["a", "b"]
    caches.keep({0})
    assert nodes.living() == ["a"]
    caches.keep(())
    assert nodes.living() == []


def test_a_slot_that_moved_lets_go_of_the_node_that_it_left(nodes):
    caches = SlotCaches(nodes)
    caches.use(0, {"a"})
    caches.use(0, {"b"})
    caches.use(0, {"b"})
    assert (nodes.living(), nodes.made) == (["b"], ["a", "b"])
