"""torch.distributed for the ranks of a group, set up from a process that has no torch.

``ray.train.torch`` does the same, but its settings cannot be read without importing torch, which
costs Ray Train's controller 270 MB for nothing: one controller a slot. Here the workers alone
import it, when they are told to.

The ranks meet as torchrun's do (https://docs.pytorch.org/docs/stable/elastic/run.html): rank 0's
address and a free port of its machine, in the environment of each.
"""

import logging
import os
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from types import ModuleType
from typing import Any

import ray
import ray.train
from ray.exceptions import GetTimeoutError
from ray.train.backend import Backend, BackendConfig

from raysearch.imports import without_collections
from raysearch.ray_cluster.ray_internals import get_address_and_port

__all__ = ["ProcessGroup"]

logger = logging.getLogger("ray.raysearch")

COLLECTIVE_S = 1800.0
LEAVE_S = 30.0


class ProcessGroup(BackendConfig):
    """Joins the workers of a group: by NCCL if each has a GPU, by gloo if not."""

    @property
    def backend_cls(self) -> type[Backend]:
        """The class whose methods Ray Train's controller calls at a group's start and end."""
        return _Ranks

    @property
    def train_func_context(self) -> type[AbstractContextManager[None]]:
        """The context that each worker enters around its train function."""
        return _OwnDevice


class _Ranks(Backend):
    # NCCL's ranks of one node have to see each other's cards.
    share_cuda_visible_devices = True

    def on_start(self, worker_group: Any, backend_config: BackendConfig) -> None:
        """Have all ranks meet; returns once they have."""
        del backend_config
        gpus = worker_group.get_resources_per_worker().get("GPU", 0)
        address, port = worker_group.execute_single(0, get_address_and_port)
        worker_group.execute(_join, "nccl" if gpus else "gloo", address, port)

    def on_shutdown(self, worker_group: Any, backend_config: BackendConfig) -> None:
        """Have all ranks leave, if they still can."""
        del backend_config
        try:
            ray.get(worker_group.execute_async(_leave), timeout=LEAVE_S)
        except GetTimeoutError:
            logger.warning("the ranks did not leave their group within %g s", LEAVE_S)


def _torch() -> ModuleType:
    """In the workers alone: see this module's first lines."""
    with without_collections():
        import torch

    return torch


class _OwnDevice(nullcontext[None]):
    """Makes the worker's card, if it has one, the one that CUDA calls go to."""

    def __enter__(self) -> None:
        from ray.train.torch import get_device  # which imports torch, too

        device = get_device()
        if device.type == "cuda":
            _torch().cuda.set_device(device)


def _join(backend: str, address: str, port: int) -> None:
    """Meet the other ranks; called in every worker at once."""
    context = ray.train.get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()
    os.environ |= {
        "MASTER_ADDR": address,
        "MASTER_PORT": str(port),
        "RANK": str(rank),
        "WORLD_SIZE": str(world_size),
        "LOCAL_RANK": str(context.get_local_rank()),
        "LOCAL_WORLD_SIZE": str(context.get_local_world_size()),
        "NODE_RANK": str(context.get_node_rank()),
    }
    # A collective that times out ends its process instead of going on with what it has.
    if "TORCH_NCCL_BLOCKING_WAIT" not in os.environ:
        os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "1")
    timeout = timedelta(seconds=COLLECTIVE_S)
    _torch().distributed.init_process_group(
        backend, rank=rank, world_size=world_size, timeout=timeout
    )


def _leave() -> None:
    torch = _torch()
    dist = torch.distributed
    if dist.is_initialized() and dist.get_world_size() > 1:
        dist.destroy_process_group()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
