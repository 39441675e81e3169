"""What an autoscaler would add: as it is reported, as KubeRay has it, as the launcher wrote it."""

from pathlib import Path

import pytest
import requests
import yaml
from ray._private.state import GlobalState
from ray.autoscaler._private.kuberay.node_provider import KubernetesHttpApiClient
from ray.core.generated.autoscaler_pb2 import ClusterConfig

from raysearch.ray_cluster import autoscaler
from raysearch.ray_cluster.autoscaler import autoscaler_settings, possible_nodes
from raysearch.ray_cluster.resources import Node, plan_slots

ROOT = Path(__file__).parents[2]
HEAD = Node(0, 0)

LAUNCHER = """
max_workers: 6
head_node_type: head
available_node_types:
  head: {resources: {CPU: 0}}
  l4_spot: {max_workers: 4, resources: {CPU: 8, GPU: 1}}
  a10g_spot: {max_workers: 8, resources: {CPU: 8, GPU: 1}}
  unknown: {max_workers: 3}
"""


def report(groups):
    """As an autoscaler writes it: name to (resources, most of them)."""
    config = ClusterConfig()
    for name, (resources, most) in groups.items():
        group = config.node_group_configs.add(name=name, max_count=most)
        group.resources.update(resources)
    return ClusterConfig.FromString(config.SerializeToString())


@pytest.fixture
def reported(monkeypatch):
    """What is in the cluster's store."""
    found = []
    monkeypatch.setattr(GlobalState, "get_cluster_config", lambda self: found[0] if found else None)
    return found


@pytest.fixture
def kubernetes(monkeypatch, reported):
    """A pod of KubeRay's; the answers of its API server, and what it was asked."""
    monkeypatch.setenv("RAY_CLUSTER_NAME", "raysearch")
    monkeypatch.setenv("RAY_CLUSTER_NAMESPACE", "team")
    monkeypatch.setattr(autoscaler, "_remembered", autoscaler._Remembered(autoscaler._ray_cluster))
    answers, asked = [], []

    def get(client, path):
        asked.append((client._namespace, path))
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    monkeypatch.setattr(KubernetesHttpApiClient, "get", get)
    return answers, asked


def ray_cluster(**spec):
    """The RayCluster of cluster/kuberay.yaml as the API server answers it."""
    documents = yaml.safe_load_all((ROOT / "cluster" / "kuberay.yaml").read_text())
    (resource,) = [one for one in documents if one["kind"] == "RayCluster"]
    resource["metadata"]["namespace"] = "team"
    resource["spec"] |= spec
    return resource


def test_kuberay_yaml_with_no_worker_up_has_room_for_a_search(kubernetes):
    answers, asked = kubernetes
    answers.append(ray_cluster())
    assert possible_nodes([HEAD]) == [HEAD, *[Node(8, 1)] * 8]
    assert asked == [("team", "rayclusters/raysearch")]
    assert possible_nodes([HEAD, Node(8, 1)]) == [HEAD, *[Node(8, 1)] * 8]
    plan = plan_slots(
        possible_nodes([HEAD]),
        workers=1,
        cpus_per_worker=4,
        gpus_per_worker=None,
        slots=None,
        trials=100,
        growing=True,
    )
    assert (plan.slots, plan.gpus_per_worker) == (100, 1)
    assert len(asked) == 1, (
        "searches ask the broker every two seconds, and it does not ask Kubernetes"
    )


def test_an_api_server_that_is_away_takes_no_nodes_away(kubernetes, monkeypatch):
    answers, asked = kubernetes
    answers.append(ray_cluster())
    monkeypatch.setattr(autoscaler, "ASK_EVERY_S", 0.0)
    assert len(possible_nodes([HEAD])) == 9
    answers[0] = requests.ConnectionError("refused")
    assert len(possible_nodes([HEAD])) == 9
    assert len(asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        requests.HTTPError("403 Client Error: Forbidden"),
        requests.ConnectionError("refused"),
        FileNotFoundError("no token of a service account"),
        {"kind": "Status"},
        ray_cluster(enableInTreeAutoscaling=False),
    ],
    ids=["forbidden", "away", "no token", "another answer", "no autoscaler"],
)
def test_where_kubernetes_says_nothing_the_living_nodes_count(kubernetes, answer):
    kubernetes[0].append(answer)
    assert possible_nodes([HEAD, Node(4, 0)]) == [HEAD, Node(4, 0)]


def test_what_an_autoscaler_reports_is_believed_first(reported, kubernetes):
    reported.append(report({"cpu": ({"CPU": 4}, 3), "none": ({}, 5), "off": ({"CPU": 64}, 0)}))
    assert possible_nodes([HEAD, Node(4, 0)]) == [HEAD, *[Node(4, 0)] * 3]
    assert kubernetes[1] == []


def test_a_group_without_a_limit_is_large_but_not_endless(reported):
    reported.append(report({"gpu": ({"CPU": 8, "GPU": 1}, -1)}))
    assert possible_nodes([]) == [Node(8, 1)] * autoscaler.NO_LIMIT


def test_the_launchers_file_is_read_where_nothing_else_is_said(reported, tmp_path):
    file = tmp_path / "ray_bootstrap_config.yaml"

    def found(nodes):
        return possible_nodes(nodes, autoscaler_settings(file))

    assert found([Node(2, 0)]) == [Node(2, 0)]
    file.write_text(LAUNCHER)
    # Four of the first kind and two of the second: six in all. A living one is one of them.
    assert found([HEAD, Node(8, 1)]) == [HEAD, *[Node(8, 1)] * 6]
    for broken in ("max_workers: [", "max_workers: 3", "[]", "available_node_types: {a: 7}"):
        file.write_text(broken)
        assert found([Node(2, 0)]) == [Node(2, 0)]
