"""Every private name of Ray that this product uses, and nothing else.

Ray may rename any of them in its next version, so a new version is tried by reading this file. A
test holds that no other module imports one (``tests/unit/test_ray_internals.py``). Each is here
because Ray has no public name for it, as its function or comment says.

Three more private things cannot stand here, as they are overridden where they are used:
``_create_default_callbacks`` and ``_initialize_and_run_controller`` of Ray Train's trainer, in
:mod:`raysearch.workers.group_fit`.

Names of Ray Train are loaded when they are first asked for: a process that trains nothing must
not pay for importing it.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ray._private import worker as ray_worker
from ray._private.state import state as ray_state

if TYPE_CHECKING:
    from ray._private.authentication.authentication_utils import is_token_auth_enabled
    from ray._private.authentication.http_token_authentication import (
        get_auth_headers_if_auth_enabled,
    )
    from ray._private.thirdparty import pynvml
    from ray._private.utils import estimate_available_memory
    from ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator import (
        get_or_create_autoscaling_coordinator,
    )
    from ray.train._internal.utils import get_address_and_port
    from ray.train.v2._internal.callbacks import DatasetsCallback
    from ray.train.v2._internal.callbacks.placement_group_callback import (
        PlacementGroupCleanerCallback,
    )
    from ray.train.v2._internal.execution.callback import (
        ControllerCallback,
        RayTrainCallback,
        WorkerGroupCallback,
    )
    from ray.train.v2._internal.execution.controller import TrainController
    from ray.train.v2._internal.execution.controller.state import ResizingState

__all__ = [
    "DATA_LOGGER",
    "GCS_METHOD",
    "HEAD_RESOURCE",
    "RAYLET_METHOD",
    "SERVE_CONTROLLER",
    "SERVE_NAMESPACE",
    "UPLOAD_LOGGER",
    "ControllerCallback",
    "DatasetsCallback",
    "PlacementGroupCleanerCallback",
    "RayTrainCallback",
    "ResizingState",
    "TrainController",
    "WorkerGroupCallback",
    "actor_id",
    "controller_environment",
    "draining_node_ids",
    "estimate_available_memory",
    "get_address_and_port",
    "get_auth_headers_if_auth_enabled",
    "get_or_create_autoscaling_coordinator",
    "is_token_auth_enabled",
    "kuberay_resource",
    "kuberay_settings",
    "local_init_options",
    "node_notices_to",
    "placement_groups",
    "pynvml",
    "reported_autoscaler_settings",
]

# A resource that the head has, and no other node.
HEAD_RESOURCE = "node:__internal_head__"
# Calls that change nothing, of a cluster's store and of the agent on each node.
GCS_METHOD = "/ray.rpc.NodeInfoGcsService/CheckAlive"
RAYLET_METHOD = "/ray.rpc.NodeManagerService/GetNodeStats"
# The actor that is there while Ray Serve runs, whose status tells "not at all" as it tells "idle".
SERVE_CONTROLLER, SERVE_NAMESPACE = "SERVE_CONTROLLER_ACTOR", "serve"
# Loggers that write a line for each dataset, and for each upload of a job's files.
DATA_LOGGER = "ray.data._internal"
UPLOAD_LOGGER = "ray._private.runtime_env.packaging"

_TRAIN = "ray.train.v2._internal"
_LAZY = {
    "ControllerCallback": f"{_TRAIN}.execution.callback",
    "DatasetsCallback": f"{_TRAIN}.callbacks",
    "PlacementGroupCleanerCallback": f"{_TRAIN}.callbacks.placement_group_callback",
    "RayTrainCallback": f"{_TRAIN}.execution.callback",
    "ResizingState": f"{_TRAIN}.execution.controller.state",
    "TrainController": f"{_TRAIN}.execution.controller",
    "WorkerGroupCallback": f"{_TRAIN}.execution.callback",
    "estimate_available_memory": "ray._private.utils",
    "get_address_and_port": "ray.train._internal.utils",
    "get_auth_headers_if_auth_enabled": "ray._private.authentication.http_token_authentication",
    "get_or_create_autoscaling_coordinator": (
        "ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator"
    ),
    "is_token_auth_enabled": "ray._private.authentication.authentication_utils",
    "pynvml": "ray._private.thirdparty.pynvml",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Load one of ``_LAZY`` when it is first asked for."""
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(_LAZY[name])
        return module if name == "pynvml" else getattr(module, name)


def draining_node_ids() -> set[str]:
    """Ids of the nodes that were told to leave, by a spot notice or the autoscaler.

    ``ray.nodes()`` shows them as living ones.
    """
    return set(ray_state.get_draining_nodes() or {})


def reported_autoscaler_settings() -> Any:
    """The ``ClusterConfig`` that an autoscaler reported to the cluster's store, or None."""
    return ray_state.get_cluster_config()


def kuberay_resource(namespace: str, name: str) -> Mapping[str, Any]:
    """The RayCluster ``name`` as Kubernetes' API server has it, asked with this pod's account."""
    # Imported here, as it takes a tenth of a second that most clusters need not pay.
    from ray.autoscaler._private.kuberay.node_provider import KubernetesHttpApiClient

    resource: Mapping[str, Any] = KubernetesHttpApiClient(namespace=namespace).get(
        f"rayclusters/{name}"
    )
    return resource


def kuberay_settings(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """A RayCluster as KubeRay's autoscaler understands it, in the words of a launcher's file."""
    # As above.
    from ray.autoscaler._private.kuberay import autoscaling_config

    settings: Mapping[str, Any] = autoscaling_config._derive_autoscaling_config_from_ray_cr(
        resource
    )
    return settings


def placement_groups() -> list[Any]:
    """The cluster's placement groups, as ``PlacementGroupTableData``, without the removed ones.

    ``ray.util.placement_group_table`` does not say which actor made a group.
    """
    # Protocol buffers, which few processes ask for.
    from ray.core.generated import gcs_pb2

    table = ray_state._connect_and_get_accessor().get_placement_group_table()
    found = [gcs_pb2.PlacementGroupTableData.FromString(entry) for entry in table]
    return [group for group in found if group.state != gcs_pb2.PlacementGroupTableData.REMOVED]


def actor_id(handle: Any) -> bytes:
    """The id of the actor that ``handle`` is of."""
    binary: bytes = handle._actor_id.binary()
    return binary


def controller_environment() -> dict[str, str]:
    """The variables that Ray Train itself gives to a controller's process."""
    # Ray Train's, which a process that trains nothing must not pay for.
    from ray._common.constants import RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_ENV_VAR
    from ray.train.v2._internal.constants import (
        DEFAULT_RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_VALUE,
        get_env_vars_to_propagate,
    )

    quiet = {
        RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_ENV_VAR: (
            DEFAULT_RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_VALUE
        )
    }
    return {**quiet, **get_env_vars_to_propagate()}


def local_init_options(folder: str | None, address: str) -> dict[str, object]:
    """Options of ``ray.init`` for a private Ray.

    Args:
        folder: where it keeps its sockets and logs; by default where Ray keeps them.
        address: of this machine, where it listens.
    """
    return {**({"_temp_dir": folder} if folder else {}), "_node_ip_address": address}


@contextlib.contextmanager
def node_notices_to(take: Callable[..., None]) -> Iterator[None]:
    """Give ``take`` what Ray prints of its nodes, whatever ``log_to_driver`` says."""
    printer = ray_worker.print_to_stdstream
    ray_worker.print_to_stdstream = take
    try:
        yield
    finally:
        ray_worker.print_to_stdstream = printer
