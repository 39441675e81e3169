"""The trial as Ray Tune sees it: an ordinary trainable that owns no model and no data."""

from dataclasses import fields
from typing import Any

from ray import tune

from raysearch.workers.booked_trial import BookedTrial

__all__ = ["TrialProxy"]


class TrialProxy(tune.Trainable):
    """Runs the trial that its config books; one epoch of the slot's worker group is one step.

    It imports no torch and holds no state of its own, so it is cheap to start, is reused from
    trial to trial, and may die at any time: its successor takes the trial up at its last
    checkpoint. A trial that fails returns an ordinary last result with ``failed`` set, because
    Tune destroys the actor of a trial that raises.

    The first step is what begins the trial. Tune counts a trial as pending until ``setup`` or
    ``reset_config`` returns, and lets others wait for it.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Take the trial whose :class:`~raysearch.workers.booked_trial.BookedTrial` it holds."""
        booked = BookedTrial(**{field.name: config[field.name] for field in fields(BookedTrial)})
        self._reports = booked.run()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Serve another trial with this same actor."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """One epoch: ``epoch``, ``value``, ``done`` and the whole ``report``."""
        report = next(self._reports)
        return {
            "epoch": report.epoch,
            "value": report.value,
            "done": report.done,
            "report": report,
        }
