"""The trial as Ray Tune sees it: an ordinary trainable that owns no model and no data."""

from typing import Any

import ray
from ray import tune

from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.faults import Fault

__all__ = ["TrialProxy"]


class TrialProxy(tune.Trainable):
    """Books the slot named in its config; one epoch of the slot's worker group is one step.

    It imports no torch and holds no state of its own, so it is cheap to start, is reused from
    trial to trial, and may die at any time: its successor takes the trial up at its last
    checkpoint. A trial that fails returns an ordinary last result with ``failed`` set, because
    Tune destroys the actor of a trial that raises.

    The first step is what begins the trial. Tune counts a trial as pending until ``setup`` or
    ``reset_config`` returns, and lets others wait for it.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Take the trial of ``config["booking"]`` on the host named ``config["host"]``."""
        self._book(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Serve another trial with this same actor."""
        self._book(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """One epoch: ``epoch``, ``value``, ``done`` and the whole ``report``."""
        answer = self._begun or self._begin()
        if "failed" not in answer:
            answer = ray.get(self._host.step.remote(self._booking, self._num_steps))
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

    def _book(self, config: dict[str, Any]) -> None:
        self._number = int(config["number"])
        self._booking, self._num_steps = config["booking"], 0
        self._host, self._label = ray.get_actor(config["host"]), config["label"]
        self._begun: dict[str, Any] = {}

    def _begin(self) -> dict[str, Any]:
        self._begun = ray.get(self._host.begin.remote(self._booking))
        # The reference keeps the task alive; it ends, or fails with the reason, as the trial does.
        self._named_task = self._host.trial.options(name=self._label).remote(self._number)
        return self._begun
