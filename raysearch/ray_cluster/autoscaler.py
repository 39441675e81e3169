"""What a cluster's autoscaler would add, from whoever tells it on this kind of cluster.

Ray 2.60's own autoscaler tells nobody which nodes it may add, so that this reads what it reads:

- what an autoscaler reported to the cluster's store, where one does (later versions of Ray, and
  platforms with an autoscaler of their own);
- under KubeRay, on the head's pod, the RayCluster as Kubernetes has it, by the code with which
  KubeRay's autoscaler reads it;
- on a head that Ray's launcher made, the file that the launcher left there.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests
import yaml

from raysearch.ray_cluster.ray_internals import (
    kuberay_resource,
    kuberay_settings,
    reported_autoscaler_settings,
)
from raysearch.ray_cluster.resources import Node

__all__ = ["Settings", "autoscaler_settings", "possible_nodes"]

# In the words of the launcher's file: head_node_type, available_node_types, max_workers.
Settings = Mapping[str, Any]

logger = logging.getLogger("ray.raysearch")

AUTOSCALER_FILE = "~/ray_bootstrap_config.yaml"
# KubeRay sets both in each pod of a cluster, and Kubernetes leaves the namespace in the file.
CLUSTER_NAME, CLUSTER_NAMESPACE = "RAY_CLUSTER_NAME", "RAY_CLUSTER_NAMESPACE"
NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
# Searches ask every two seconds, and Kubernetes is not to be asked as often.
ASK_EVERY_S = 60.0
# Where an autoscaler names no limit: more than a search has trials for.
NO_LIMIT = 1000


def possible_nodes(nodes: Sequence[Node], settings: Settings | None = None) -> list[Node]:
    """Return ``nodes`` and those that the cluster's autoscaler would add on demand.

    Args:
        nodes: the living ones.
        settings: the autoscaler's; by default as ``autoscaler_settings`` finds them.

    Returns:
        The nodes there may be; nodes of a type that says no resources are not counted on.
    """
    added = _added(settings if settings is not None else autoscaler_settings())
    # A living worker is one of those that the settings count.
    there = [node for node in nodes if node not in added]
    return [*there, *added]


def autoscaler_settings(file: Path | None = None) -> Settings:
    """Return the settings of the first of the three sources that has any; empty if none has.

    Args:
        file: the launcher's, by default where it leaves it.
    """
    found = _reported() or _kuberay() or _launcher(file or Path(AUTOSCALER_FILE).expanduser())
    return found or {}


def _added(settings: Settings) -> list[Node]:
    try:
        types = dict(settings["available_node_types"])
        types.pop(settings.get("head_node_type"), None)
        room = int(settings.get("max_workers", 0))
        added: list[Node] = []
        for kind in types.values():
            offer = kind.get("resources") or {}
            node = Node(float(offer.get("CPU", 0)), float(offer.get("GPU", 0)))
            if node.cpus:
                added += [node] * min(int(kind.get("max_workers", room)), room - len(added))
    except (KeyError, TypeError, ValueError, AttributeError):
        return []
    return added


def _reported() -> Settings | None:
    """What an autoscaler put into the cluster's store; it counts no head among the groups."""
    config = reported_autoscaler_settings()
    if config is None or not config.node_group_configs:
        return None
    types = {
        group.name: {
            "resources": dict(group.resources),
            "max_workers": NO_LIMIT if group.max_count < 0 else group.max_count,
        }
        for group in config.node_group_configs
    }
    return {"available_node_types": types, "max_workers": sys.maxsize}


class _Remembered:
    """The last answer of ``ask``, asked again when it is old.

    Args:
        ask: what costs a request.
    """

    def __init__(self, ask: Callable[[str], Settings | None]) -> None:
        self._ask = ask
        self._answers: dict[str, tuple[float, Settings | None]] = {}

    def __call__(self, name: str) -> Settings | None:
        now = time.monotonic()
        asked, answer = self._answers.get(name, (-ASK_EVERY_S, None))
        if now - asked >= ASK_EVERY_S:
            # An API server that is away for a moment takes no nodes away.
            answer = self._ask(name) or answer
            self._answers[name] = now, answer
        return answer


def _ray_cluster(name: str) -> Settings | None:
    """The RayCluster ``name`` of this pod's namespace, as KubeRay's autoscaler reads it."""
    try:
        namespace = os.environ.get(CLUSTER_NAMESPACE) or Path(NAMESPACE_FILE).read_text().strip()
        resource = kuberay_resource(namespace, name)
        if not resource["spec"].get("enableInTreeAutoscaling"):
            return None
        return kuberay_settings(resource)
    except (requests.RequestException, OSError, KeyError, TypeError, ValueError) as error:
        logger.warning("the RayCluster %s cannot be read, so only living nodes: %s", name, error)
        return None


_remembered = _Remembered(_ray_cluster)


def _kuberay() -> Settings | None:
    name = os.environ.get(CLUSTER_NAME)
    return _remembered(name) if name else None


def _launcher(file: Path) -> Settings | None:
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return None
    return settings if isinstance(settings, dict) else None
