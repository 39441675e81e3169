"""The pool of warm worker groups, one a slot, held by the driver."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.train import FailureConfig, LoggingConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from raysearch.errors import InfrastructureError
from raysearch.tuning.resources import Plan
from raysearch.tuning.serve import serve_trials
from raysearch.tuning.worker_group import WorkerGroupHost

__all__ = ["Slot", "WorkerPool"]

logger = logging.getLogger("ray.raysearch")

START_TIMEOUT_S = 900.0
MAX_FIT_FAILURES = 3


@dataclass(slots=True)
class Slot:
    """One place where a trial can run."""

    index: int
    host_name: str
    host: Any
    joined: Any
    ready: bool = False
    busy: bool = False
    lease: int = -1
    closing: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


class WorkerPool:
    """Starts one host and one ``TorchTrainer.fit()`` a slot and keeps them until closed.

    Each fit runs in a thread of this process: the driver has torch in memory already, so a host
    needs none, which saves a second import of it a slot.

    Args:
        plan: how many slots, and what each worker gets.
        name: prefix of the actors' and runs' names.
        scratch: a folder that every node can write, for what Ray Train insists on keeping.
        max_attempts: starts of one trial before it has failed.
    """

    def __init__(self, plan: Plan, name: str, scratch: Path, *, max_attempts: int = 3) -> None:
        self.plan = plan
        self._name = name
        self._scratch = scratch
        self.slots = [self._open(index, max_attempts) for index in range(plan.slots)]

    def _open(self, index: int, max_attempts: int) -> Slot:
        host_name = f"{self._name}-slot-{index}"
        actor = ray.remote(num_cpus=0, max_concurrency=1000)(WorkerGroupHost)
        host = actor.options(name=host_name).remote(
            self.plan.workers, max_attempts=max_attempts, gauges=(self._name, index)
        )
        slot = Slot(index, host_name, host, joined=host.pids.remote())
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
                num_workers=self.plan.workers,
                use_gpu=self.plan.gpus_per_worker > 0,
                resources_per_worker=self.plan.resources_per_worker,
            ),
            run_config=RunConfig(
                name=name,
                storage_path=str(self._scratch),
                failure_config=FailureConfig(max_failures=-1, controller_failure_limit=3),
                logging_config=LoggingConfig(log_level="WARNING"),
            ),
        )

    def wait_for(
        self, num_slots: int, say: Callable[[str], None], timeout_s: float = START_TIMEOUT_S
    ) -> None:
        """Return as soon as all workers of ``num_slots`` slots have joined.

        Raises:
            InfrastructureError: too few came up in time; the message says what was waited for.
        """
        begun = time.monotonic()
        refs = [slot.joined for slot in self.slots]
        while len(ray.wait(refs, num_returns=num_slots, timeout=30.0)[0]) < num_slots:
            waited = time.monotonic() - begun
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
        for slot in self.slots:
            slot.ready = slot.ready or bool(ray.wait([slot.joined], timeout=0)[0])
        return [s.index for s in self.slots if s.ready and not s.busy and not s.closing.is_set()]

    def occupy(self, slot: int) -> None:
        """A trial goes to ``slot``."""
        self.slots[slot].busy = True

    def release(self, slot: int) -> None:
        """The trial on ``slot`` has ended."""
        self.slots[slot].busy = False

    def lose(self, slot: int) -> int:
        """``slot`` takes no more trials; how many slots are left."""
        self.close_slot(slot)
        return sum(not s.closing.is_set() for s in self.slots)

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
        """Close the slots that have no trial."""
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

    def close(self, timeout_s: float = 20.0) -> None:
        """Let all workers go, wait for the fits to return, and end the hosts."""
        for slot in self.slots:
            self.close_slot(slot.index)
        deadline = time.monotonic() + timeout_s
        for slot in self.slots:
            if slot.thread:
                slot.thread.join(max(0.0, deadline - time.monotonic()))
            ray.kill(slot.host)
