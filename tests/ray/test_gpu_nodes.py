"""How much GPU memory workers may count on is asked of the nodes that have GPUs."""

from types import SimpleNamespace

import pytest
import ray

from raysearch.ray_cluster.gpu_memory import least_gpu_bytes
from raysearch.streaming import preparation

pytestmark = pytest.mark.ray

GIB = 2**30


def nodes(*gpus):
    """This node, once for each number of GPUs that it is said to have."""
    (node,) = (one for one in ray.nodes() if one["Alive"])
    return [{**node, "Resources": {"CPU": 2.0, "GPU": float(count)}} for count in gpus]


def test_each_node_with_gpus_is_asked_and_the_fullest_counts(cluster, tmp_path):
    """The nodes answer with 3 and 2 GiB, in any order."""

    def ask(share):
        try:
            (tmp_path / "asked").mkdir()
        except FileExistsError:
            return int(share * 2 * GIB)
        return int(share * 3 * GIB)

    assert least_gpu_bytes(0.5, nodes(0, 4, 1), ask) == GIB


@pytest.mark.parametrize("share", [None, 1.0])
def test_a_cluster_without_gpus_is_not_asked(cluster, share):
    def ask(share):
        raise AssertionError("asked")

    assert least_gpu_bytes(share, nodes(0, 0), ask) is None
    assert least_gpu_bytes(0, nodes(1), ask) is None


def test_a_node_that_cannot_tell_leaves_it_open(cluster):
    def untold(share):
        return None

    def broken(share):
        raise OSError("no driver")

    assert least_gpu_bytes(1.0, nodes(1), untold) is None
    assert least_gpu_bytes(1.0, nodes(1), broken) is None


def test_a_gpu_node_that_does_not_tell_is_told_of(cluster, monkeypatch):
    """The features then stay in the nodes' caches, and the line that says so says why."""
    search = SimpleNamespace(tier="auto", gpus_per_worker=None)
    living = [{**node, "Resources": {**node["Resources"], "GPU": 1.0}} for node in nodes(1)]
    living[0]["Resources"]["object_store_memory"] = 2 * GIB
    monkeypatch.setattr(preparation, "living_nodes", lambda: living)
    tier, reason = preparation.tier_for(search, 1000)
    assert tier == "host"
    assert "did not say how much of its GPUs' memory is free" in reason
    search.gpus_per_worker = 0
    assert "GPU" not in preparation.tier_for(search, 1000)[1]
