"""The pool of warm worker groups, one a slot, held by the driver.

Its size is live: slots open, close when idle, and are vacated when their node or their share of a
cluster goes; a vacated slot's trial goes on elsewhere, from the checkpoint that it published.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError
from ray.train import FailureConfig, LoggingConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raysearch.errors import InfrastructureError
from raysearch.tuning.resources import Plan
from raysearch.tuning.serve import TellsItsHost, serve_trials
from raysearch.tuning.worker_group import WorkerGroupHost

__all__ = ["Slot", "WorkerPool"]

logger = logging.getLogger("ray.raysearch")

START_TIMEOUT_S = 900.0
CLOSE_S = 10.0
MAX_FIT_FAILURES = 3
# How often a group of changing size looks for room to grow: growing costs a start of the group.
RESIZE_EVERY_S = 60.0
MAX_LOSSES = 5


@dataclass(slots=True)
class Slot:
    """One place where a trial can run."""

    index: int
    host_name: str
    host: Any
    joined: Any
    opened: float
    ready: bool = False
    busy: bool = False
    leaving: bool = False
    lease: int = -1
    closing: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    @property
    def staying(self) -> bool:
        """Whether it will take another trial."""
        return not (self.leaving or self.closing.is_set())


class WorkerPool:
    """Starts one host and one ``TorchTrainer.fit()`` a slot and keeps them until closed.

    Each fit runs in a thread of this process: the driver has torch in memory already, so a host
    needs none, which saves a second import of it a slot.

    Args:
        plan: the most slots, and what each worker gets.
        name: prefix of the actors' and runs' names.
        scratch: a folder of this machine, for what Ray Train insists on keeping.
        max_attempts: starts of one trial before it has failed.
        elastic: begin with no slot and follow ``resize``; a lost slot will be replaced.
        rejoin_s: how long an elastic pool's slot may be without its workers before it is lost.

    Attributes:
        plan, elastic: as given; a pool that is closing is no longer elastic.
        limit: slots that have something to do.
        slots: all that were ever opened, by index.
    """

    def __init__(
        self,
        plan: Plan,
        name: str,
        scratch: Path,
        *,
        max_attempts: int = 3,
        elastic: bool = False,
        rejoin_s: float = 120.0,
    ) -> None:
        self.plan, self.limit = plan, plan.slots
        self._name = name
        self._scratch = scratch
        self._max_attempts = max_attempts
        self.elastic = elastic
        self._rejoin_s = rejoin_s if elastic else None
        self._losses = 0
        self._lock = threading.RLock()
        self.slots: list[Slot] = []
        if not elastic:
            self.resize(plan.slots)

    def resize(self, num_slots: int) -> None:
        """Open slots up to ``num_slots``, or close or vacate what is above it, the idle first."""
        with self._lock:
            staying = [slot for slot in self.slots if slot.staying]
            for _ in range(num_slots - len(staying)):
                self.slots.append(self._open(len(self.slots)))
            staying.sort(key=lambda slot: (slot.busy, slot.ready, -slot.index))
            for slot in staying[: max(0, len(staying) - num_slots)]:
                self.vacate(slot, "its share of the cluster became smaller")

    def vacate(self, slot: Slot, reason: str) -> None:
        """Close ``slot`` once its trial, if it has one, has published what it holds."""
        with self._lock:
            slot.leaving = True
            if slot.busy:
                slot.host.vacate.remote(reason)
            else:
                self.close_slot(slot.index)

    def vacate_nodes(self, nodes: set[str]) -> None:
        """Vacate the slots that have a worker on one of ``nodes``, which are going away."""
        for slot in [slot for slot in self.slots if slot.ready and slot.staying]:
            if nodes & ray.get(slot.host.nodes.remote()):
                self.vacate(slot, "its node is being taken away")

    def _open(self, index: int) -> Slot:
        host_name = f"{self._name}-slot-{index}"
        actor = ray.remote(num_cpus=0, max_concurrency=1000)(WorkerGroupHost)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        # Beside the driver: a worker's node may go, and its host must not go with it.
        host = actor.options(name=host_name, scheduling_strategy=here).remote(
            self.plan.workers,
            max_attempts=self._max_attempts,
            gauges=(self._name, index),
            rejoin_s=self._rejoin_s,
        )
        slot = Slot(index, host_name, host, host.pids.remote(), opened=time.monotonic())
        slot.thread = threading.Thread(
            target=self._serve, args=(slot,), name=host_name, daemon=True
        )
        slot.thread.start()
        return slot

    def _serve(self, slot: Slot) -> None:
        """Keep one group alive: enter ``fit`` again, under a fresh name, whenever it returns."""
        for round_ in range(MAX_FIT_FAILURES):
            try:
                self._trainer(f"{slot.host_name}-{round_}", slot.host).fit()
            except Exception as error:
                if not slot.closing.is_set():
                    logger.warning("slot %d: fit ended: %s", slot.index, error)
            if slot.closing.is_set():
                return
        slot.host.give_up.remote(f"Ray Train could not keep slot {slot.index}'s workers running")

    def _trainer(self, name: str, host: Any) -> TorchTrainer:
        return TorchTrainer(
            serve_trials,
            train_loop_config={"host": host, "threads": self.plan.cpus_per_worker},
            scaling_config=ScalingConfig(
                num_workers=self._num_workers(),
                elastic_resize_monitor_interval_s=RESIZE_EVERY_S,
                use_gpu=self.plan.gpus_per_worker > 0,
                resources_per_worker=self.plan.resources_per_worker,
            ),
            run_config=RunConfig(
                name=name,
                storage_path=str(self._scratch),
                failure_config=FailureConfig(max_failures=-1, controller_failure_limit=3),
                callbacks=[TellsItsHost(host)],
                logging_config=LoggingConfig(log_level="WARNING"),
            ),
        )

    def _num_workers(self) -> int | tuple[int, int]:
        plan = self.plan
        return (plan.workers, plan.most_workers) if plan.max_workers else plan.workers

    def wait_for(
        self,
        num_slots: int,
        say: Callable[[str], None],
        *,
        stopped: Callable[[], bool] = lambda: False,
        timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        """Return as soon as all workers of ``num_slots`` slots have joined, or it is ``stopped``.

        A search that has to wait for its turn has no slot open meanwhile, and waits for ever.

        Raises:
            InfrastructureError: too few came up in time; the message says what was waited for.
        """
        said = time.monotonic()
        while len(self.free()) < num_slots and not stopped():
            time.sleep(0.1)
            now = time.monotonic()
            pending = [slot for slot in self.slots if slot.staying and not slot.ready]
            if not pending or now - said < 30.0:
                continue
            said, waited = now, now - min(slot.opened for slot in pending)
            free = ray.available_resources()
            state = (
                f"workers of {self.plan.resources_per_worker} are not up after {waited:.0f} s; "
                f"free in the cluster: {free.get('CPU', 0):g} CPU, {free.get('GPU', 0):g} GPU"
            )
            if waited > timeout_s:
                raise InfrastructureError(state)
            say(f"still starting: {state}")

    def free(self) -> list[int]:
        """Open slots without a trial whose workers have joined."""
        with self._lock:
            for slot in self.slots:
                if slot.staying and not slot.ready:
                    slot.ready = bool(ray.wait([slot.joined], timeout=0)[0])
            return [s.index for s in self.slots if s.ready and not s.busy and s.staying]

    def num_open(self) -> int:
        """Slots that are up, or on their way."""
        return sum(slot.staying for slot in self.slots)

    def occupy(self, slot: int) -> None:
        """A trial goes to ``slot``."""
        with self._lock:
            self.slots[slot].busy = True

    def release(self, slot: int) -> None:
        """The trial on ``slot`` has ended."""
        with self._lock:
            taken = self.slots[slot]
            taken.busy = False
            self._losses = 0
            if taken.leaving:
                self.close_slot(slot)

    def lose(self, slot: int) -> bool:
        """``slot`` takes no more trials; whether others are left or will come."""
        with self._lock:
            self._losses += not self.slots[slot].leaving
            self.close_slot(slot)
            will_come = self.elastic and self._losses <= MAX_LOSSES
            return will_come or any(s.staying for s in self.slots)

    def finish(self, slot: int, number: int) -> dict[str, Any]:
        """Have ``slot`` publish the checkpoint of trial ``number`` and let it go."""
        result: dict[str, Any] = ray.get(self.slots[slot].host.finish.remote(number))
        return result

    def assign(self, slot: int, task: dict[str, Any]) -> dict[str, Any]:
        """Tell ``slot`` its next trial; the name of its host and the lease to begin it with."""
        taken = self.slots[slot]
        taken.lease += 1
        taken.host.assign.remote(task, taken.lease)
        return {"host": taken.host_name, "lease": taken.lease}

    def close_idle(self) -> None:
        """Close the slots that have no trial; only a lost one will be replaced from now on."""
        with self._lock:
            self.limit = sum(slot.busy for slot in self.slots)
            for slot in self.slots:
                if not slot.busy:
                    self.close_slot(slot.index)

    def worker_pids(self, slot: int) -> dict[int, int]:
        """Process ids of a slot's workers by rank."""
        pids: dict[int, int] = ray.get(self.slots[slot].host.pids.remote())
        return pids

    def close_slot(self, index: int) -> None:
        """Let a slot's workers go, so that others can have their resources."""
        slot = self.slots[index]
        if not slot.closing.is_set():
            slot.closing.set()
            slot.host.close.remote()
            timer = threading.Timer(CLOSE_S, self._abort, args=(slot,))
            timer.daemon = True
            timer.start()

    def _abort(self, slot: Slot) -> None:
        """End a fit that still waits for workers that will not come."""
        if slot.thread and slot.thread.is_alive():
            with contextlib.suppress(RayError):
                controller = ray.get(slot.host.controller.remote())
                if controller is not None:
                    controller.abort.remote()

    def close(self, timeout_s: float = 20.0) -> None:
        """Let all workers go, wait for the fits to return, and end the hosts."""
        with self._lock:
            self.elastic = False
            for slot in self.slots:
                self.close_slot(slot.index)
        deadline = time.monotonic() + timeout_s
        for slot in self.slots:
            if slot.thread:
                slot.thread.join(max(0.0, deadline - time.monotonic()))
            ray.kill(slot.host)
