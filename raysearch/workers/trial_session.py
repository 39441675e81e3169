"""One trial inside one worker: its data, its learner, and the checkpoints it publishes."""

import logging
import shutil
import socket
import time
from dataclasses import replace
from pathlib import Path

import ray
import ray.train.torch

from raysearch.errors import DataError, InfrastructureError
from raysearch.features.waveform_augment import selected
from raysearch.spec import TrialConfig
from raysearch.storage.replica import open_storage
from raysearch.storage.run_storage import ensure_current, fetch_published, send_published
from raysearch.streaming.batches import SplitData
from raysearch.streaming.split_rows import SplitRows
from raysearch.streaming.tiers import open_trial_data
from raysearch.streaming.trial_features import TrialFeatures
from raysearch.streaming.validation_mix import with_validation_mix
from raysearch.training.distributed import all_agree
from raysearch.training.inner_folds import InnerFolds
from raysearch.training.learner import Learner
from raysearch.training.start_weights import PRETRAINED, WEIGHTS, Start, read_start
from raysearch.workers.epoch_report import EpochReport
from raysearch.workers.faults import Fault, fault_of
from raysearch.workers.trial_task import TrialTask

__all__ = ["TrialSession"]

logger = logging.getLogger("ray.raysearch")


class TrialSession:
    """Builds one trial in a worker, trains it epoch by epoch, and publishes checkpoints.

    Args:
        task: what the driver sent.
        features: what its ``data`` refers to.
        rank: this worker's rank in its group.
        world_size: ranks of the group.

    Attributes:
        afresh: whether the checkpoint to resume from could not be read, so that it starts anew.
    """

    def __init__(
        self, task: TrialTask, features: TrialFeatures, rank: int, world_size: int
    ) -> None:
        self._task = task
        self._rank, self._world_size = rank, world_size
        if task.publication.storage:
            open_storage(task.publication.storage)  # on this machine as well
        config = TrialConfig.from_dict(task.config)
        sides: list[SplitRows] = ray.get(features.rows)
        self._labels = [rows.labels for rows in sides]
        self._data = [_open(task, features, config, rows, rank, world_size) for rows in sides]
        self._trial = self._fresh(config)
        self.afresh = task.resume is not None and not self._loaded(Path(task.resume))
        if self.afresh:
            self._trial.close()
            self._task = replace(task, resume=None)  # which would hold what it starts from
            self._trial = self._fresh(config)
        self._published_at = time.monotonic()

    def _fresh(self, config: TrialConfig) -> InnerFolds:
        """A trial that has learned nothing yet."""
        group = (self._rank, self._world_size)
        sides = zip(self._data, self._labels, strict=True)
        return InnerFolds(
            [_learner(self._task, config, data, *group, labels) for data, labels in sides]
        )

    def _loaded(self, folder: Path) -> bool:
        """Whether every rank could read the checkpoint; a damaged one is not the trial's fault.

        Raises:
            InfrastructureError: what holds it is away, which it may not be for long.
        """
        try:
            self._trial.load(fetch_published(folder))
            read = True
        except DataError as error:
            if error.__context__ and fault_of(error.__context__) is Fault.STORAGE:
                raise InfrastructureError(str(error)) from error
            logger.warning("trial %s begins again: %s", self._task.trial, error)
            read = False
        return all_agree(read, self._world_size)

    @property
    def epoch(self) -> int:
        """Epochs trained so far."""
        return self._trial.first.epoch

    def run_epoch(self) -> EpochReport:
        """Train and validate one epoch; publish a checkpoint when one is due.

        A trial that was resumed from its last epoch has nothing left to train: its last result is
        given again.
        """
        learner = self._trial.first
        train_s = 0.0 if self._over else self._trial.run_epoch().train_s
        due = time.monotonic() - self._published_at >= self._task.checkpoint_every_s
        value = learner.best_value
        report = EpochReport(
            self._task.number,
            attempt=self._task.attempt,
            epoch=learner.epoch,
            value=float("-inf") if value is None else value,
            best_epoch=learner.best_epoch,
            metrics=self._trial.history[-1],
            train_s=train_s,
            num_params=learner.num_params,
            workers=self._world_size if self._task.elastic else 0,
            done=self._over,
        )
        return self.publish(report) if self._over or due else report

    @property
    def _over(self) -> bool:
        last = self._task.last_epoch
        return self._trial.first.finished or (last is not None and self.epoch >= last)

    def finish(self) -> EpochReport:
        """Publish what was trained; the report tells of nothing else."""
        return self.publish(EpochReport(self._task.number, attempt=self._task.attempt))

    def publish(self, report: EpochReport) -> EpochReport:
        """Write this trial's checkpoint, whole or not at all; rank 0 only.

        Returns:
            ``report``, which tells of it.

        Raises:
            InfrastructureError: the run's folder belongs to a later driver.
        """
        if self._rank != 0:
            return report
        epoch, folder = self._trial.first.epoch, Path(self._task.folder)
        name = f"epoch-{epoch:04d}-attempt-{self._task.attempt}"
        target = folder / (self._task.checkpoint_name or name)
        run = self._task.publication
        self._trial.save(target, guard=lambda: ensure_current(Path(run.run_folder), run.fence))
        send_published(target)
        self._published_at = time.monotonic()
        size = sum(path.stat().st_size for path in target.iterdir())
        return replace(
            report, checkpoint=str(target), checkpoint_epoch=epoch, checkpoint_bytes=size
        )

    def close(self) -> None:
        """Release the data and the learners."""
        self._trial.close()
        for data in self._data:
            data.close()
        run = self._task.publication
        if self._rank == 0 and run.storage and run.driver != socket.gethostname():
            # The storage has it; here the checkpoints of all trials would pile up. Rank 0 alone
            # publishes, so no other rank may take the folder away from under it.
            shutil.rmtree(self._task.folder, ignore_errors=True)


def _open(
    task: TrialTask,
    features: TrialFeatures,
    config: TrialConfig,
    rows: SplitRows,
    rank: int,
    world_size: int,
) -> SplitData:
    return open_trial_data(
        with_validation_mix(rows, config.training.validation_mix),
        features.sources,
        clip_s=config.training.clip_s,
        batch_size=config.training.batch_size,
        seed=task.seed,
        rank=rank,
        world_size=world_size,
        cells=selected(config.waveform_augment),
        probability=config.waveform_augment.probability,
        by_speaker=config.training.by_speaker,
        tier=features.tier,
        shuffle_rows=config.training.shuffle_rows,
        device=ray.train.torch.get_device(),
    )


def _start(task: TrialTask, config: TrialConfig) -> Start | None:
    """What the trial starts from; a checkpoint holds it already."""
    wanted = config.training.pretrained
    if wanted is None or task.resume:
        return None
    folder = fetch_published(Path(task.publication.run_folder) / PRETRAINED)
    start = read_start(folder / WEIGHTS)
    if start.digest != wanted:
        raise DataError(f"{folder}: not the weights that the trial starts from: {start.digest}")
    return start


def _learner(
    task: TrialTask,
    config: TrialConfig,
    data: SplitData,
    rank: int,
    world_size: int,
    labels: tuple[str, ...],
) -> Learner:
    return Learner(
        config.model,
        config.training,
        config.spec_augment,
        data,
        seed=task.seed,
        rank=rank,
        world_size=world_size,
        device=ray.train.torch.get_device(),
        objective=task.objective,
        features=config.features,
        start=_start(task, config),
        labels=labels,
    )
