"""A search as Ray's documentation has it: Tune's function trainable starts a TorchTrainer a trial.

See "Hyperparameter tuning with Ray Tune" in Ray Train's user guide. The worker trains the same
trial, by the same learner and from the node's shared memory, as a search's worker does.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import ray
import torch
from bare_trials import Task, train
from ray import tune
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback

from raysearch.spec import TrialConfig
from raysearch.streaming.node_cache import node_cache
from raysearch.streaming.tiers import open_trial_data

__all__ = ["in_tune"]


def in_tune(tasks: Sequence[Task], scratch: Path, at_once: int) -> list[float]:
    """Train ``tasks``, so many at a time, on the Ray that this process has started.

    Args:
        tasks: the trials.
        scratch: a folder that is made here; it gets a file a trial with the time and loss of its
            first epoch.
        at_once: trials at a time.

    Returns:
        The overhead of each trial: its seconds beside its training and validation batches.
    """

    def on_worker(config: dict) -> None:
        task = config["task"]

        def report(epoch: Mapping[str, float]) -> None:
            if epoch["epoch"] == 1:
                first = {"number": task.number, "time": time.time(), **epoch}
                (scratch / f"{task.number}.first").write_text(json.dumps(first))
            ray.train.report(dict(epoch))

        torch.set_num_threads(1)
        torch.set_flush_denormal(True)
        training = TrialConfig.from_dict(dict(task.config)).training
        with open_trial_data(
            task.rows,
            task.sources,
            clip_s=training.clip_s,
            batch_size=training.batch_size,
            seed=task.seed,
        ) as data:
            train_s = train(task, data, report)
        # Train keeps no metrics that were reported without a checkpoint.
        (scratch / f"{task.number}.seconds").write_text(str(train_s))

    def trainable(config: dict) -> None:
        begun, number = time.time(), config["task"].number
        TorchTrainer(
            on_worker,
            train_loop_config=config,
            scaling_config=ScalingConfig(num_workers=1, resources_per_worker={"CPU": 0.99}),
            run_config=RunConfig(
                name=f"trial-{number}",
                storage_path=str(scratch),
                callbacks=[TuneReportCallback()],
            ),
        ).fit()
        train_s = float((scratch / f"{number}.seconds").read_text())
        tune.report({"overhead": time.time() - begun - train_s})

    scratch.mkdir()
    cache = node_cache()  # which ends with this process' handle
    results = tune.Tuner(
        tune.with_resources(trainable, {"CPU": 0.01}),
        param_space={"task": tune.grid_search(list(tasks))},
        tune_config=tune.TuneConfig(max_concurrent_trials=at_once),
        run_config=tune.RunConfig(storage_path=str(scratch), verbose=0),
    ).fit()
    del cache
    return [result.metrics["overhead"] for result in results]
