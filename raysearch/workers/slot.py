"""One warm worker group as the driver holds it: its host, and the fit that keeps its workers."""

import contextlib
import itertools
import logging
import threading
import time
from dataclasses import replace
from pathlib import Path

import ray
from ray.exceptions import RayActorError, RayError
from ray.train import FailureConfig, LoggingConfig, RunConfig, ScalingConfig
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raysearch.ray_cluster.resources import Plan
from raysearch.workers.deadlines import Deadlines
from raysearch.workers.group_fit import GroupFit, HostNotifier
from raysearch.workers.host import WorkerGroupHost
from raysearch.workers.hung_worker import end_worker
from raysearch.workers.trial_task import TrialTask
from raysearch.workers.worker_loop import serve_trials

__all__ = ["Slot"]

logger = logging.getLogger("ray.raysearch")

CLOSE_S = 10.0
# A controller between two steps ends within it.
ABORT_S = 5.0
MAX_FIT_FAILURES = 3
# How often a group of changing size looks for room to grow: growing costs a start of the group.
RESIZE_EVERY_S = 60.0


class Slot:
    """One place where a trial can run: a host actor and the workers of its group.

    Its fit runs in a thread of this process, which has Ray Train in memory already: the host needs
    none of it.

    Args:
        index: of the slot in its pool.
        pool: the pool's name.
        plan: what each worker gets.
        scratch: a folder of this machine, for what Ray Train insists on keeping.
        max_attempts, rejoin_s, deadlines: as the host takes them.

    Attributes:
        index: as given.
        host, host_name: the actor between its trial and its workers.
        opened: when, of ``time.monotonic()``.
        busy: whether it has a trial.
        leaving: whether it is to close once it has none.
        booking: counts the trials that it was told of; the last one's number here.
        num_rests: pauses since the last trial that ended here.
        rests_until: when, of ``time.monotonic()``, it can take a trial again.
        workers: process ids by node, as they were last seen.
    """

    def __init__(
        self,
        index: int,
        pool: str,
        plan: Plan,
        scratch: Path,
        *,
        max_attempts: int,
        rejoin_s: float | None,
        deadlines: Deadlines,
    ) -> None:
        self.index, self.host_name = index, f"{pool}-slot-{index}"
        self.opened = time.monotonic()
        self.busy = self.leaving = False
        self.booking = -1
        self.num_rests, self.rests_until = 0, 0.0
        self.workers: dict[str, list[int]] = {}
        self._plan, self._scratch = plan, scratch
        self._closing = threading.Event()
        self._patience: threading.Timer | None = None
        actor = ray.remote(num_cpus=0, max_concurrency=1000)(WorkerGroupHost)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        # Beside the driver: a worker's node may go, and its host must not go with it.
        self.host = actor.options(name=self.host_name, scheduling_strategy=here).remote(
            plan.workers,
            max_attempts=max_attempts,
            gauges=(pool, index),
            rejoin_s=rejoin_s,
            deadlines=deadlines,
        )
        self._joined = self.host.pids.remote()
        self._ready = False
        self._fit: GroupFit | None = None
        self._thread = threading.Thread(target=self._serve, name=self.host_name, daemon=True)
        self._thread.start()

    @property
    def staying(self) -> bool:
        """Whether it will take another trial."""
        return not (self.leaving or self._closing.is_set())

    @property
    def ready(self) -> bool:
        """Whether all its workers have joined."""
        if not self._ready and ray.wait([self._joined], timeout=0)[0]:
            self._ready = True
        return self._ready

    def note_workers(self, timeout_s: float) -> dict[str, list[int]]:
        """Ask the host where the workers are, and remember their process ids.

        Raises:
            RayError: the host is dead, or does not answer in time.
        """
        found: dict[str, list[int]] = ray.get(self.host.workers.remote(), timeout=timeout_s)
        if any(found.values()):  # else the group is starting again: a worker that hangs is known
            self.workers = found
        return found

    def assign(self, task: TrialTask) -> int:
        """Tell the slot its next trial.

        Returns:
            The booking, which begins that trial and no other.
        """
        self.booking += 1
        # In the object store, unread by the host: to read it is to import what data is made of.
        sent = replace(task, data=ray.put(task.data))
        self.host.assign.remote(sent, self.booking)
        return self.booking

    def vacate(self, reason: str) -> None:
        """Close once the trial here, if there is one, has published what it holds."""
        self.leaving = True
        if self.busy:
            self.host.vacate.remote(reason)
        else:
            self.close()

    def close(self) -> None:
        """End its workers, so that others can have their resources."""
        if not self._closing.is_set():
            self._closing.set()
            self.host.close.remote()
            self._patience = threading.Timer(CLOSE_S, self._abort)
            self._patience.daemon = True
            self._patience.start()

    def end(self, timeout_s: float) -> None:
        """Wait for a closed slot's workers to be gone; its fit and host are ended in any case.

        A thread that still waited for Ray when the driver leaves it would crash the process; so
        would one whose end frees what is Ray's at that moment.
        """
        self._thread.join(timeout_s)
        if self._thread.is_alive() and self._fit is not None:
            with contextlib.suppress(RayError):
                self._fit.kill()
            self._thread.join(ABORT_S)
        ray.kill(self.host)
        self._thread.join(ABORT_S)  # it may have waited for the host
        if self._patience is not None:
            self._patience.cancel()
            self._patience.join(ABORT_S)
            self._patience = None  # it holds this slot, and with it Ray's handles

    def _serve(self) -> None:
        """Keep the group alive: enter ``fit`` again, under a fresh name, whenever it returns."""
        for round_ in range(MAX_FIT_FAILURES):
            if self._closing.is_set():
                break
            try:
                self._fit = self._trainer(f"{self.host_name}-{round_}")
                self._fit.fit()
            except Exception as error:
                if not self._closing.is_set():
                    logger.warning("slot %d: fit ended: %s", self.index, error)
            self._end_workers()
        if self._closing.is_set():
            ray.kill(self.host)  # a pool that follows a cluster closes many a slot
        else:
            self.host.give_up.remote(
                f"Ray Train could not keep slot {self.index}'s workers running"
            )

    def _end_workers(self) -> None:
        """End what a controller that was killed leaves: its workers, and what they reserve."""
        if self._fit is not None:
            with contextlib.suppress(RayError):
                self._fit.remove_placement_groups()
        try:
            ray.get(self.host.__ray_ready__.remote(), timeout=CLOSE_S)
        except RayActorError:
            # The host would have ended a worker that hangs; Ray only asks such a one to exit.
            for node, pids in self.workers.items():
                for pid in pids:
                    end_worker(node, pid)
        except RayError:
            pass  # a host that is slow to answer is no dead one

    def _trainer(self, name: str) -> GroupFit:
        plan = self._plan
        workers = (plan.workers, plan.most_workers) if plan.max_workers else plan.workers
        return GroupFit(
            serve_trials,
            {
                "host": self.host,
                "threads": plan.cpus_per_worker,
                "gpus": plan.gpus_per_worker,
            },
            scaling_config=ScalingConfig(
                num_workers=workers,
                elastic_resize_monitor_interval_s=RESIZE_EVERY_S,
                use_gpu=plan.gpus_per_worker > 0,
                resources_per_worker=plan.resources_per_worker,
            ),
            run_config=RunConfig(
                name=name,
                storage_path=str(self._scratch),
                failure_config=FailureConfig(max_failures=-1, controller_failure_limit=3),
                callbacks=[HostNotifier(self.host)],
                logging_config=LoggingConfig(log_level="WARNING"),
            ),
        )

    def _abort(self) -> None:
        """End a fit that still waits for workers that will not come."""
        ways = itertools.cycle((GroupFit.abort, GroupFit.kill))
        while self._thread.is_alive():
            if self._fit is not None:
                with contextlib.suppress(RayError):
                    next(ways)(self._fit)
            self._thread.join(ABORT_S)
