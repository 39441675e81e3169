"""One trial's learning, an epoch at a time.

Every epoch starts by seeding torch's generators from (seed, epoch, rank), so a trial that
continues from a checkpoint equals an uninterrupted one without any saved random state.

Axes: B batch, T frames, F bins, K emotions.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from raysearch.config.identity import seed_from
from raysearch.errors import DataError, NonFiniteLossError
from raysearch.features.extractor import FeatureConfig
from raysearch.models.base import ModelConfig
from raysearch.models.table import build_model
from raysearch.training import checkpoint
from raysearch.training.config import Objective, SpecAugmentConfig, TrainingConfig
from raysearch.training.data import Batch, TrialData
from raysearch.training.distributed import average_buffers, idle_inputs, sum_over_ranks, wrap
from raysearch.training.losses import (
    class_weights,
    mix,
    mixing_share,
    soft_cross_entropy,
    soft_targets,
)
from raysearch.training.normalise import Normaliser
from raysearch.training.optim import (
    build_optimizer,
    drop_frozen_gradients,
    learning_rate_at,
    load_optimizer_tensors,
    optimizer_tensors,
    set_learning_rate,
)
from raysearch.training.scoring import objective_value, score_batches, validation_metrics
from raysearch.training.spec_augment import spec_augment
from raysearch.training.state import TrialState
from raysearch.training.stopwatch import Stopwatch

__all__ = ["EpochResult", "Learner"]


@dataclass(frozen=True, slots=True)
class EpochResult:
    """What one epoch gave.

    Attributes:
        epoch: epochs done, this one included.
        metrics: train_loss, val_loss, val_uar, val_wa, val_macro_f1, learning_rate.
        train_s: seconds inside training and validation batches on this rank, waiting for
            the next batch not included.
    """

    epoch: int
    metrics: dict[str, float]
    train_s: float


class Learner:
    """Trains one model on one rank; all ranks call the same methods in the same order.

    Args:
        model: the architecture and its fields.
        training: how it learns.
        spec_augment: what it sees of the training clips.
        data: this rank's batches.
        seed: the trial's own seed.
        rank: this process' number in the group.
        world_size: processes in the group; above 1 torch.distributed must be initialised.
        device: where the model lives.
        objective: the validation metric that chooses the best epoch.
        features: the streams' settings, for a model that loads pretrained weights by them.

    Attributes:
        epoch: epochs done.
        best_epoch: the epoch with the best validation value, 0 before the first.
        best_value: that value, higher is better; None before the first epoch.
        history: the metrics of each epoch done.
        model: the bare network.

    Raises:
        DataError: no training or no validation rows.
    """

    def __init__(
        self,
        model: ModelConfig,
        training: TrainingConfig,
        spec_augment: SpecAugmentConfig,
        data: TrialData,
        *,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device,
        objective: Objective = "val_uar",
        features: Mapping[str, FeatureConfig] | None = None,
    ) -> None:
        if not data.num_train or not data.num_validation:
            raise DataError(
                f"{data.num_train} training and {data.num_validation} validation rows: "
                "both must be above 0"
            )
        self.training, self.augment, self.data = training, spec_augment, data
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.device, self.objective = device, objective
        self.epoch, self.best_epoch = 0, 0
        self.best_value: float | None = None
        self.history: list[dict[str, float]] = []
        self._best: dict[str, Tensor] = {}
        self._build(model, features or {})

    def _build(self, config: ModelConfig, features: Mapping[str, FeatureConfig]) -> None:
        torch.manual_seed(seed_from(self.seed, "init"))
        layout = torch.channels_last if self.training.channels_last else torch.contiguous_format
        self.model = build_model(config, self.data.shapes, self.data.num_classes)
        self.model.load_pretrained(features)
        self.model.to(device=self.device, memory_format=layout)  # type: ignore[call-overload]
        network = wrap(self.model, self.world_size, self.device)
        self._network: Callable[..., Tensor] = (
            torch.compile(network) if self.training.compile else network
        )
        self._optimizer = self._build_optimizer()
        self._normaliser = Normaliser(
            self.training.normalise, self.data.normalisation, self.data.shapes, self.device
        )
        self._weights_K = class_weights(self.data.class_counts, self.training.class_weight).to(
            self.device
        )
        self._steps_per_epoch = math.ceil(self.data.num_train / self.training.batch_size)

    def _build_optimizer(self) -> Optimizer:
        return build_optimizer(self.model.parameter_groups(), self.training)

    @property
    def num_params(self) -> int:
        """Trainable parameters."""
        return self.model.num_params

    @property
    def finished(self) -> bool:
        """Whether all epochs are done or patience is spent."""
        patience = self.training.patience
        spent = patience is not None and self.epoch - self.best_epoch >= patience
        return spent or self.epoch >= self.training.epochs

    def run_epoch(self) -> EpochResult:
        """Train one epoch, validate, remember the best weights.

        Raises:
            NonFiniteLossError: on all ranks together, from the loss summed over them.
        """
        assert self.epoch < self.training.epochs, "the trial has had all of its epochs"
        torch.manual_seed(seed_from(self.seed, self.epoch, self.rank))
        watch = Stopwatch()
        train_loss = self._train_epoch(watch)
        values = {"train_loss": train_loss, **self._validate(watch)}
        values["learning_rate"] = self._learning_rate
        self.epoch += 1
        self.history.append(values)
        self._remember_best(values)
        return EpochResult(self.epoch, dict(values), watch.seconds)

    def _train_epoch(self, watch: Stopwatch) -> float:
        self.model.train()
        self.model.begin_epoch(self.epoch)
        totals = torch.zeros(2, dtype=torch.float64, device=self.device)  # loss sum, rows
        num_rows = 0
        for number, batch in enumerate(watch.over(self.data.train_batches(self.epoch))):
            step = self.epoch * self._steps_per_epoch + number
            self._learning_rate = learning_rate_at(self.training, step, self._steps_per_epoch)
            set_learning_rate(self._optimizer, self._learning_rate, self._rate_factor)
            # Kept on the device: reading it at each step would stall a GPU.
            totals[0] += self._step(batch)
            num_rows += batch.labels.shape[0]
        with watch:
            totals[1] = num_rows
            average_buffers(self.model, num_rows, self.world_size)
            loss_sum, num_global = sum_over_ranks(totals, self.world_size).tolist()
        return self._finite(loss_sum / num_global, "training")

    def _rate_factor(self, group: str) -> float:
        return self.model.rate_factor(group, self.epoch)

    def _step(self, batch: Batch) -> Tensor:
        """One optimizer step on a share; the sum of its rows' losses."""
        self._optimizer.zero_grad(set_to_none=True)
        loss_sum = self._loss_sum(batch) if batch.labels.shape[0] else self._idle_loss(batch)
        # The wrapper averages gradients over ranks, so the global mean needs this factor.
        loss = loss_sum * (self.world_size / batch.num_global)
        penalty = self.model.penalty()
        (loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        drop_frozen_gradients(self._optimizer)
        if self.training.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.training.gradient_clip)
        self._optimizer.step()
        return loss_sum.detach()

    def _loss_sum(self, batch: Batch) -> Tensor:
        inputs, lengths = self._normaliser(batch)
        inputs = {
            stream: spec_augment(
                x_BTF, lengths[stream], self.augment, self.data.shapes[stream].kind
            )
            for stream, x_BTF in inputs.items()
        }
        labels_B = batch.labels.to(self.device, non_blocking=True)
        targets_BK = soft_targets(labels_B, self._weights_K, self.training.label_smoothing)
        if self.training.mixup_alpha > 0:
            share = mixing_share(self.training.mixup_alpha)
            order_B = torch.randperm(len(labels_B), device=self.device)
            inputs = {stream: mix(x_BTF, order_B, share) for stream, x_BTF in inputs.items()}
            lengths = {stream: n_B.maximum(n_B[order_B]) for stream, n_B in lengths.items()}
            targets_BK = mix(targets_BK, order_B, share)
        with self._autocast():
            logits_BK = self._network(inputs, lengths)
        return soft_cross_entropy(logits_BK, targets_BK).sum()

    def _idle_loss(self, batch: Batch) -> Tensor:
        """A zero that depends on every weight, so that an empty share joins the reduction.

        One row of zeros in evaluation mode: batch norm's statistics stay untouched.
        """
        inputs, lengths = idle_inputs(batch.inputs, self.device)
        self.model.eval()
        with self._autocast():
            logits_BK = self._network(inputs, lengths)
        self.model.train()
        self.model.begin_epoch(self.epoch)
        return logits_BK.float().sum() * 0.0

    def _validate(self, watch: Stopwatch) -> dict[str, float]:
        batches = watch.over(self.data.validation_batches())
        scores = score_batches(
            self.model, batches, self._normaliser, self.data.num_classes, self._autocast()
        )
        with watch:
            totals = sum_over_ranks(scores.totals().to(self.device), self.world_size).cpu()
        values = validation_metrics(totals)
        self._finite(values["val_loss"], "validation")
        return values

    def _finite(self, loss: float, kind: str) -> float:
        if not math.isfinite(loss):
            raise NonFiniteLossError(
                f"the {kind} loss became {loss} in epoch {self.epoch + 1} "
                f"(learning rate {self._learning_rate:.3g})"
            )
        return loss

    def _remember_best(self, values: dict[str, float]) -> None:
        value = objective_value(values, self.objective)
        if value > (-math.inf if self.best_value is None else self.best_value):
            self.best_epoch, self.best_value = self.epoch, value
            self._best = checkpoint.cpu_copy(self.model.state_dict())

    def _autocast(self) -> AbstractContextManager[object]:
        wanted = self.training.precision
        enabled = wanted == "bf16" or (wanted == "auto" and self.device.type == "cuda")
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    def save(
        self,
        folder: Path,
        extra: Mapping[str, Any] | None = None,
        *,
        guard: Callable[[], None] | None = None,
    ) -> None:
        """Publish a checkpoint; one rank does it, for all ranks hold the same.

        Args:
            folder: replaced as a whole.
            extra: plain JSON values to keep beside the learner's own.
            guard: called just before publication; what it raises stops it.
        """
        state = TrialState(
            epoch=self.epoch,
            best_epoch=self.best_epoch,
            best_value=self.best_value,
            history=self.history,
            seed=self.seed,
            objective=self.objective,
            extra=dict(extra or {}),
        )
        state.publish(
            folder, self.model.state_dict(), self._best, optimizer_tensors(self._optimizer), guard
        )

    def load(self, folder: Path) -> dict[str, Any]:
        """Continue from a checkpoint; returns what was given as ``extra``.

        Raises:
            DataError: damaged, of another model, or of another seed or objective.
        """
        state, last, best, optimizer = TrialState.load(folder)
        if (state.seed, state.objective) != (self.seed, self.objective):
            raise DataError(f"{folder}: a checkpoint of another seed or objective")
        checkpoint.load_weights(self.model, last, f"{folder}")
        load_optimizer_tensors(self._optimizer, optimizer)
        self.epoch, self.history = state.epoch, list(state.history)
        self.best_epoch, self.best_value = state.best_epoch, state.best_value
        self._best = best
        return state.extra

    def close(self) -> None:
        """Free the model, the optimizer and a GPU's cached memory; the learner is done for."""
        self._best = {}
        del self.model, self._network, self._optimizer, self._normaliser
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
