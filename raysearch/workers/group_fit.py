"""Ray Train's part in a warm group, with as few and as small processes as that takes.

This is what the controller of a group imports, one process a slot. So nothing here imports torch.
"""

from collections.abc import Callable
from typing import Any

import ray
from ray.train import Result
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from raysearch.ray_cluster.placement_groups import remove_placement_groups_of
from raysearch.ray_cluster.process_group import ProcessGroup
from raysearch.ray_cluster.ray_internals import (
    ControllerCallback,
    DatasetsCallback,
    PlacementGroupCleanerCallback,
    RayTrainCallback,
    ResizingState,
    TrainController,
    WorkerGroupCallback,
    actor_id,
    controller_environment,
)

__all__ = ["GroupFit", "HostNotifier"]

# Each has Ray Train start a process of 110 MB beside every group: one to split datasets, of which
# none is bound here, and one to free the resources of a controller that was killed, which the slot
# does itself.
_NOT_NEEDED = (DatasetsCallback, PlacementGroupCleanerCallback)


class HostNotifier(ControllerCallback, WorkerGroupCallback):
    """Tells the host what only Ray Train's controller knows: that its group changes or has ended.

    Of a group's end the host would else learn from the next group alone.

    Args:
        host: the handle of the group's host.
    """

    def __init__(self, host: Any) -> None:
        self._host = host

    def after_controller_state_update(self, previous_state: Any, current_state: Any) -> None:
        """Tell the host that the group will be resized; runs in the controller's process."""
        if isinstance(current_state, ResizingState):
            self._host.resize.remote()

    def after_worker_group_shutdown(self, worker_group_context: Any) -> None:
        """Tell the host that the group has ended; runs in the controller's process."""
        self._host.disband.remote()


class GroupFit(DataParallelTrainer):
    """A ``TorchTrainer`` whose own processes are few and import no torch.

    Ray Train ends a fit before its time for an interrupt of the main thread only. A group that
    waits for a place in the cluster would wait, and ask the autoscaler for nodes, for ever; so
    this one can be stopped.

    Args:
        serve: each worker's function; takes ``config``.
        config: what it is given.
        run: ``scaling_config`` and ``run_config``, as Ray Train has them.
    """

    def __init__(
        self, serve: Callable[[dict[str, object]], None], config: dict[str, object], **run: Any
    ) -> None:
        super().__init__(serve, train_loop_config=config, backend_config=ProcessGroup(), **run)
        self._controller: Any = None
        self._controller_id = b""

    def abort(self) -> None:
        """Ask the controller to end the group and itself; it hears that between two steps."""
        if (controller := self._controller) is not None:
            controller.abort.remote()

    def kill(self) -> None:
        """End the controller, which may wait for ever for a worker that does not start.

        What it has reserved for its workers must then be freed: see ``remove_placement_groups``.
        """
        if (controller := self._controller) is not None:
            ray.kill(controller)

    def remove_placement_groups(self) -> None:
        """Remove what a controller that has ended still reserves, and end the workers there."""
        if self._controller_id:
            remove_placement_groups_of(self._controller_id)

    def _create_default_callbacks(self) -> list[RayTrainCallback]:
        callbacks: list[RayTrainCallback] = super()._create_default_callbacks()
        return [one for one in callbacks if not isinstance(one, _NOT_NEEDED)]

    def _initialize_and_run_controller(self, **arguments: Any) -> Result:
        """As Ray Train does it, but the handle is kept while the fit lasts."""
        here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
        actor = ray.remote(
            num_cpus=0,
            label_selector=here,
            runtime_env={"env_vars": controller_environment()},
        )(TrainController)
        self._controller = controller = actor.remote(**arguments)
        self._controller_id = actor_id(controller)
        try:
            ray.get(controller.run.remote())
            result: Result = ray.get(controller.get_result.remote())
        finally:
            self._controller = None  # its process ends with the last handle
        return result
