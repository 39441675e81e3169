"""Training nets that no search trains: each to its end, on whichever slot can."""

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue

from raysearch.errors import InfrastructureError, RaysearchError, TrialError
from raysearch.storage.publication import Publication
from raysearch.streaming.trial_features import TrialFeatures
from raysearch.trial_config import TrialConfig
from raysearch.workers.faults import Fault
from raysearch.workers.pool import REST_SECONDS, WorkerPool
from raysearch.workers.slot import Slot
from raysearch.workers.trial_task import TrialTask

__all__ = ["retrain", "retraining"]


def retraining(
    trial: str,
    config: TrialConfig,
    *,
    seed: int,
    objective: str,
    data: TrialFeatures,
    weights: Path,
    publication: Publication,
    last_epoch: int | None = None,
) -> TrialTask:
    """Make the order for one net; ``retrain`` numbers it.

    Args:
        trial: whose it is.
        config: its settings.
        seed: its own.
        objective: the validation metric that chooses its epoch.
        data: its features.
        weights: the folder that its weights are published as, once, at its end.
        publication: the run, as workers publish into it.
        last_epoch: as ``TrialTask`` has it.
    """
    return TrialTask(
        number=0,
        trial=trial,
        attempt=1,
        label=config.model.name,
        config=config.to_dict(),
        seed=seed,
        objective=objective,
        data=data,
        folder=str(weights.parent),
        publication=publication,
        checkpoint_name=weights.name,
        last_epoch=last_epoch,
    )


def retrain(pool: WorkerPool, tasks: Sequence[TrialTask], say: Callable[[str], None]) -> None:
    """Run ``tasks`` to their ends, as many at a time as there are slots.

    What a slot cannot end for its own fault, another does; a slot whose storage is full or away
    rests as in a search. After a failure no further training begins. An interruption is raised at
    once; what is under way ends when the caller closes the pool.

    Raises:
        TrialError: a retraining failed.
        InfrastructureError: no slot is left to train on.
    """
    queue: SimpleQueue[TrialTask] = SimpleQueue()
    for number, task in enumerate(tasks):
        queue.put(replace(task, number=number, label=f"refit {number} {task.label}"))
    slots = [slot for slot in pool.slots if slot.staying and slot.ready]
    done: list[TrialTask] = []

    def told(task: TrialTask) -> None:
        done.append(task)
        folder = Path(task.folder).relative_to(task.publication.run_folder)
        say(f"retrained {len(done)} of {len(tasks)}: {folder}")

    error = InfrastructureError("no slot is left to train on; the same command goes on")
    while not queue.empty():
        if not slots:
            raise error
        executor = ThreadPoolExecutor(len(slots))
        try:
            ends = list(executor.map(lambda slot: _work(pool, slot, queue, say, told), slots))
        except BaseException as reason:
            _empty(queue)
            # After a failure the other slots may be wanted again. Nobody who interrupts waits for
            # trainings under way, which may take hours: they end as the pool is closed.
            executor.shutdown(wait=isinstance(reason, TrialError))
            raise
        executor.shutdown()
        error = next(filter(None, ends), error)
        slots = [slot for slot, end in zip(slots, ends, strict=True) if end is None]


def _empty(queue: "SimpleQueue[TrialTask]") -> None:
    with contextlib.suppress(Empty):
        while True:
            queue.get_nowait()


def _work(
    pool: WorkerPool,
    slot: Slot,
    queue: "SimpleQueue[TrialTask]",
    say: Callable[[str], None],
    told: Callable[[TrialTask], None],
) -> InfrastructureError | None:
    """Train on ``slot`` until nothing is left to do, or the slot is: then the error that told.

    ``told`` hears of each training that has ended.
    """
    rests = iter(REST_SECONDS)
    while True:
        try:
            task = queue.get_nowait()
        except Empty:
            return None
        try:
            _train(pool, slot, task)
        except InfrastructureError as error:
            queue.put(task)
            pause = next(rests, None) if isinstance(error, _StorageFailedError) else None
            if pause is None:
                return error
            say(f"slot {slot.index} rests for {pause:g} s: {error}")
            time.sleep(pause)
            continue
        rests = iter(REST_SECONDS)
        told(task)


class _StorageFailedError(InfrastructureError):
    """A slot's storage is full or away, which may pass."""


def _train(pool: WorkerPool, slot: Slot, task: TrialTask) -> None:
    *_, last = pool.run(slot.index, task)
    if last.failed:
        kind: type[RaysearchError] = TrialError
        if last.slot_lost or last.fault is Fault.SLOT:
            kind = InfrastructureError
        elif last.fault is Fault.STORAGE:
            kind = _StorageFailedError
        again = "" if kind is TrialError else "; the same command goes on"
        raise kind(f"retraining in {task.folder}: {last.failed}{again}")
