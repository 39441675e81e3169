"""One trial inside one worker: its data, its learner, and the checkpoints it publishes."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ray
import ray.train.torch

from raysearch.features.waveform_augment import selected
from raysearch.lease import check_fence
from raysearch.spec import TrialConfig
from raysearch.streaming.tiers import open_trial_data
from raysearch.training.learner import Learner

__all__ = ["TrialSession"]


class TrialSession:
    """Build a trial, train it an epoch at a time, publish it whole.

    Args:
        task: what the driver sent: ``number, trial, attempt, config, seed, objective, resume,
            folder, fence, checkpoint_every_s, data``.
        rank: this worker's rank in its group.
        world_size: ranks of the group.
    """

    def __init__(self, task: Mapping[str, Any], rank: int, world_size: int) -> None:
        self._task = task
        self._rank = rank
        config = TrialConfig.from_dict(task["config"])
        device = ray.train.torch.get_device()
        data = task["data"]
        self._data = open_trial_data(
            ray.get(data["rows"]),
            data["sources"],
            clip_s=config.training.clip_s,
            batch_size=config.training.batch_size,
            seed=task["seed"],
            rank=rank,
            world_size=world_size,
            cells=selected(config.waveform_augment),
            probability=config.waveform_augment.probability,
            tier=data["tier"],
            device=device,
        )
        self._learner = Learner(
            config.model,
            config.training,
            config.spec_augment,
            self._data,
            seed=task["seed"],
            rank=rank,
            world_size=world_size,
            device=device,
            objective=task["objective"],
            features=config.features,
        )
        if task["resume"]:
            self._learner.load(Path(task["resume"]))
        self._published_at = time.monotonic()

    @property
    def epoch(self) -> int:
        """Epochs trained so far."""
        return self._learner.epoch

    def run_epoch(self) -> dict[str, Any]:
        """Train and validate one epoch; publish a checkpoint when one is due.

        A trial that was resumed from its last epoch has nothing left to train: its last result is
        given again.
        """
        learner = self._learner
        train_s = 0.0 if learner.finished else learner.run_epoch().train_s
        due = time.monotonic() - self._published_at >= self._task["checkpoint_every_s"]
        message = {
            "epoch": learner.epoch,
            "value": learner.best_value,
            "best_epoch": learner.best_epoch,
            "metrics": learner.history[-1],
            "train_s": train_s,
            "num_params": learner.num_params,
            "done": learner.finished,
        }
        return {**message, **(self.publish() if learner.finished or due else {})}

    def publish(self) -> dict[str, Any]:
        """Write this trial's checkpoint, whole or not at all; rank 0 only.

        Raises:
            InfrastructureError: the run's folder belongs to a later driver.
        """
        if self._rank != 0:
            return {}
        learner, folder = self._learner, Path(self._task["folder"])
        name = f"epoch-{learner.epoch:04d}-attempt-{self._task['attempt']}"
        target = folder / self._task.get("checkpoint_name", name)
        learner.save(
            target, guard=lambda: check_fence(Path(self._task["run_folder"]), self._task["fence"])
        )
        self._published_at = time.monotonic()
        return {"checkpoint": str(target), "checkpoint_epoch": learner.epoch}

    def close(self) -> None:
        """Release the data and the learner."""
        self._learner.close()
        self._data.close()
