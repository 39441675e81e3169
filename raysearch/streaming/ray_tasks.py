"""Ray Data as raysearch uses it: one item, one task, one table, and no bars or chatter."""

import json
import logging
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import ray
import ray.data
from ray.data import DataContext, ExecutionResources, TaskPoolStrategy
from ray.exceptions import NodeDiedError, OutOfMemoryError, WorkerCrashedError

from raysearch.errors import DataError, InfrastructureError, StorageRefusedError
from raysearch.ray_cluster.ray_internals import DATA_LOGGER

__all__ = ["error_text", "raise_error", "run_tasks"]

# Ray gives it to every node.
NODE_LABEL = "ray.io/node-id"
# How often a task whose process died is tried again. Ray Data's own number has no end: a recording
# or a library that ends each process would hold a search up for ever.
RETRIES = 3
_DEATHS = (WorkerCrashedError, NodeDiedError)
_ERRORS = {kind.__name__: kind for kind in (DataError, InfrastructureError, StorageRefusedError)}


def run_tasks(
    items: Sequence[Mapping[str, object]],
    task: Callable[..., pa.Table],
    kwargs: Mapping[str, object],
    *,
    num_cpus: float,
    num_gpus: float = 0,
    tasks_at_once: int | None = None,
    ordered: bool = False,
    node_id: str | None = None,
    memory: int | None = None,
) -> Generator[pa.Table]:
    """Runs ``task(table, **kwargs)`` on each item's one-row table; yields the tables returned.

    Tasks run ahead of the reader as far as Ray Data's memory budget lets them; closing the
    generator ends those that are left.

    Args:
        items: plain values and lists only.
        task: importable by the workers; its tables must have equal columns.
        kwargs: sent along with every task.
        num_cpus: CPUs a task asks for; 0 runs where worker groups hold them all.
        num_gpus: GPUs a task asks for.
        tasks_at_once: the most tasks at a time, as many as fit by default.
        ordered: tables in the order of the items, else as they finish.
        node_id: the node whose disk the tasks read; any by default.
        memory: bytes of tables that may wait for the reader; what Ray Data allows by default.

    Raises:
        InfrastructureError: the process of a task died, and so did those of its ``RETRIES``; or
            its node had too little memory again and again.
    """
    if not items:
        return
    options = _quiet().execution_options
    options.preserve_order = ordered
    options.resource_limits = ExecutionResources.for_limits(object_store_memory=memory)
    data: Any = ray.data.from_items(list(items), override_num_blocks=len(items))
    tasks = data.map_batches(
        task,
        batch_size=1,
        batch_format="pyarrow",
        fn_kwargs=dict(kwargs),
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        max_retries=RETRIES,
        compute=TaskPoolStrategy(size=min(tasks_at_once or len(items), len(items))),
        label_selector={NODE_LABEL: node_id} if node_id else None,
    )
    try:
        # Not iter_batches: each of its passes may leave a parked prefetching thread behind.
        for bundle in tasks.iter_internal_ref_bundles():
            for block in bundle.blocks:
                yield ray.get(block.ref)
    except _DEATHS as error:
        raise InfrastructureError(
            f"the process of a task died {1 + RETRIES} times ({task.__name__}, "
            f"{type(error).__name__}); its last words are in the newest worker-*.err of Ray's logs "
            "on its node, as a rule in /tmp/ray/session_latest/logs"
        ) from error
    except OutOfMemoryError as error:
        raise InfrastructureError(
            f"Ray ended a task ({task.__name__}) each time that it was tried, as the memory of its "
            "node was nearly full: end what else runs there, or give it more memory"
        ) from error


def error_text(error: Exception) -> str:
    """Write an error as text for a task's table, so that it arrives whole and is not retried."""
    kind = "InfrastructureError" if isinstance(error, OSError) else type(error).__name__
    return json.dumps([kind if kind in _ERRORS else "DataError", str(error)])


def raise_error(text: str) -> None:
    """Raise what ``error_text`` told; nothing for no text."""
    if text:
        kind, message = json.loads(text)
        raise _ERRORS[kind](message)


def _quiet() -> DataContext:
    # Ray 2.60 has no other way to say how often a task is tried again.
    warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated", DeprecationWarning)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.enable_operator_progress_bars = False
    context.print_on_execution_start = False
    for name in ("ray.data", DATA_LOGGER):
        # What goes wrong is raised, and told by whoever asked; no traceback is printed before.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return context
