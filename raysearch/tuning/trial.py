"""The trial as Ray Tune sees it: an ordinary trainable that owns no model and no data."""

from dataclasses import dataclass, field
from typing import Any

import ray
from ray import tune

from raysearch.tuning.faults import Fault

__all__ = ["EpochReport", "TrialProxy"]


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What a worker group says of one epoch.

    Attributes:
        number: the trial.
        attempt: counts the trial's starts, from 1.
        epoch: epochs trained, from 1.
        value: the best objective value so far; higher is better.
        best_epoch: the epoch of that value.
        metrics: this epoch's losses and validation scores.
        train_s: seconds inside training and validation batches on rank 0.
        num_params: parameters of the model.
        workers: ranks that trained it, where their number may change.
        checkpoint: folder published with this epoch, if one was.
        checkpoint_epoch: epochs that the checkpoint holds.
        checkpoint_bytes: its size.
        done: the trial trained all its epochs, or ran out of patience, was let go, or failed.
        failed: why the trial failed.
        fault: whose fault that is.
        slot_lost: the slot takes no more trials.
    """

    number: int
    attempt: int = 0
    epoch: int = 0
    value: float = float("-inf")
    best_epoch: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    train_s: float = 0.0
    num_params: int = 0
    workers: int = 0
    checkpoint: str | None = None
    checkpoint_epoch: int = 0
    checkpoint_bytes: int = 0
    done: bool = False
    failed: str | None = None
    fault: Fault = Fault.SETTINGS
    slot_lost: bool = False


class TrialProxy(tune.Trainable):
    """Leases the slot named in its config; one epoch of the slot's worker group is one step.

    It imports no torch and holds no state of its own, so it is cheap to start, is reused from
    trial to trial, and may die at any time: its successor takes the trial up at its last
    checkpoint. A trial that fails returns an ordinary last result with ``failed`` set, because
    Tune destroys the actor of a trial that raises.

    The first step is what begins the trial. Tune counts a trial as pending until ``setup`` or
    ``reset_config`` returns, and lets others wait for it.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Lease the trial of ``config["lease"]`` on the host named ``config["host"]``."""
        self._lease(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Serve another trial with this same actor."""
        self._lease(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """One epoch: ``epoch``, ``value``, ``done`` and the whole ``report``."""
        answer = self._begun or self._begin()
        if "failed" not in answer:
            answer = ray.get(self._host.step.remote(self._lease_id, self._num_steps))
            self._num_steps += 1
        if "failed" in answer:
            fault = Fault(answer.get("fault", Fault.SETTINGS))
            answer = {**answer, "fault": fault, "done": True}
        report = EpochReport(number=self._number, **answer)
        return {
            "epoch": report.epoch,
            "value": report.value,
            "done": report.done,
            "report": report,
        }

    def _lease(self, config: dict[str, Any]) -> None:
        self._number = int(config["number"])
        self._lease_id, self._num_steps = config["lease"], 0
        self._host, self._label = ray.get_actor(config["host"]), config["label"]
        self._begun: dict[str, Any] = {}

    def _begin(self) -> dict[str, Any]:
        self._begun = ray.get(self._host.begin.remote(self._lease_id))
        # The reference keeps the task alive; it ends, or fails with the reason, as the trial does.
        self._named_task = self._host.trial.options(name=self._label).remote(self._number)
        return self._begun
