"""What an autoscaler reported to a real cluster's store is found there."""

import pytest
import ray
from ray._raylet import (
    GCS_AUTOSCALER_CLUSTER_CONFIG_KEY,
    GCS_AUTOSCALER_STATE_NAMESPACE,
    GcsClient,
)
from ray.core.generated.autoscaler_pb2 import ClusterConfig

from raysearch.ray_cluster.autoscaler import possible_nodes
from raysearch.ray_cluster.resources import Node

pytestmark = pytest.mark.ray


def test_a_report_is_read_from_the_store_by_driver_and_actor(cluster):
    config = ClusterConfig()
    config.node_group_configs.add(name="gpu", max_count=3).resources.update({"CPU": 8, "GPU": 1})
    store = GcsClient(address=cluster.address)
    ask = ray.remote(num_cpus=0)(possible_nodes)
    try:
        store.report_cluster_config(config.SerializeToString())
        expected = [Node(0, 0), *[Node(8, 1)] * 3]
        assert possible_nodes([Node(0, 0)]) == expected
        assert ray.get(ask.remote([Node(0, 0)])) == expected
    finally:
        key, namespace = GCS_AUTOSCALER_CLUSTER_CONFIG_KEY, GCS_AUTOSCALER_STATE_NAMESPACE
        store.internal_kv_del(key.encode(), False, namespace.encode())
    assert possible_nodes([Node(2, 0)]) == [Node(2, 0)]
