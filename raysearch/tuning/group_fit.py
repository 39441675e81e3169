"""Ray Train's part in a warm group, with as few and as small processes as that takes.

This is what the controller of a group imports, one process a slot. So nothing here imports torch.
"""

from collections.abc import Callable
from typing import Any

import ray
from ray import cloudpickle
from ray.train.v2._internal.callbacks import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.callback import (
    ControllerCallback,
    RayTrainCallback,
    WorkerGroupCallback,
)
from ray.train.v2._internal.execution.controller.state import ResizingState
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from raysearch.tuning.process_group import ProcessGroup

__all__ = ["GroupFit", "TellsItsHost"]

# Each has Ray Train start a process of 110 MB beside every group: one to split datasets, of which
# none is bound here, and one to free the resources of a controller that was killed, which the slot
# does itself.
_NOT_NEEDED = (DatasetsCallback, PlacementGroupCleanerCallback)


class TellsItsHost(ControllerCallback, WorkerGroupCallback):
    """Tells the host what only Ray Train's controller knows: its own handle, and of each group.

    With the handle the pool can abort a fit. Ray Train does so for an interrupt of the main thread
    only, and a group that waits for a place in the cluster would wait, and ask the autoscaler for
    nodes, for ever. Of a group's end the host would else learn from the next group alone, and of
    the resources that a killed controller still holds nobody would.

    Args:
        host: the handle of the group's host.
    """

    def __init__(self, host: Any) -> None:
        self._host = host

    def after_controller_start(self, train_run_context: Any) -> None:
        """Called once in the controller's process."""
        # Closed: a handle is read by importing whatever its methods' signatures name.
        handle = cloudpickle.dumps(ray.get_runtime_context().current_actor)
        self._host.controlled_by.remote(handle)

    def after_controller_state_update(self, previous_state: Any, current_state: Any) -> None:
        """Called in the controller's process."""
        if isinstance(current_state, ResizingState):
            self._host.resize.remote()

    def after_worker_group_start(self, worker_group: Any) -> None:
        """Called in the controller's process whenever a group has its place."""
        held = worker_group.get_worker_group_state().placement_group_handle
        self._host.placed.remote(held.placement_group)

    def after_worker_group_shutdown(self, worker_group_context: Any) -> None:
        """Called in the controller's process whenever a group has ended."""
        self._host.disband.remote()


class GroupFit(DataParallelTrainer):
    """A ``TorchTrainer`` whose helper processes know nothing of torch, and only those of use.

    Args:
        serve: each worker's function; takes ``config``.
        config: what it is given.
        run: ``scaling_config`` and ``run_config``, as Ray Train has them.
    """

    def __init__(
        self, serve: Callable[[dict[str, Any]], None], config: dict[str, Any], **run: Any
    ) -> None:
        super().__init__(serve, train_loop_config=config, backend_config=ProcessGroup(), **run)

    def _create_default_callbacks(self) -> list[RayTrainCallback]:
        callbacks: list[RayTrainCallback] = super()._create_default_callbacks()
        return [one for one in callbacks if not isinstance(one, _NOT_NEEDED)]
