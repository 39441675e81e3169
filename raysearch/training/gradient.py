"""An epoch of gradient steps on one rank.

Axes: B batch, T frames, F bins, K emotions.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from raysearch.errors import DataError
from raysearch.models.base import Model
from raysearch.training.concordance import ccc_loss
from raysearch.training.data import Batch, TrialData
from raysearch.training.distributed import (
    average_buffers,
    idle_inputs,
    stand_by,
    sum_over_ranks,
    wrap,
)
from raysearch.training.losses import (
    class_weights,
    distribution_targets,
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
from raysearch.training.spec_augment import spec_augment
from raysearch.training.stopwatch import Stopwatch
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig

__all__ = ["GradientFit", "autocast"]


def autocast(training: TrainingConfig, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass in the precision that the settings ask for."""
    wanted = training.precision
    enabled = wanted == "bf16" or (wanted == "auto" and _bf16_is_fast(device))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def _bf16_is_fast(device: torch.device) -> bool:
    """Where the hardware multiplies bfloat16 itself: a CPU's step is 1.4 to 2.1 times as fast.

    A GPU before NVIDIA's Ampere (a T4, a V100) only emulates it.
    """
    if device.type == "cpu":
        able = torch.cpu.get_capabilities()
        return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


class GradientFit:
    """Trains ``model`` by Adam, over all ranks together.

    Args:
        model: on its device.
        training: how it learns.
        augment: what it sees of the training clips.
        data: this rank's batches.
        normaliser: of the batches.
        world_size: ranks of the group.

    Attributes:
        max_epochs: the most epochs of a trial.

    Raises:
        DataError: votes are to be learned, and there are none.
    """

    def __init__(
        self,
        model: Model,
        training: TrainingConfig,
        augment: SpecAugmentConfig,
        data: TrialData,
        normaliser: Normaliser,
        world_size: int,
    ) -> None:
        self.max_epochs = training.epochs
        self._model, self._training, self._augment = model, training, augment
        self._data, self._normaliser, self._world_size = data, normaliser, world_size
        self._device = normaliser.device
        network = wrap(model, world_size, self._device)
        self._network: Callable[..., Tensor] = (
            torch.compile(network) if training.compile else network
        )
        self._optimizer = build_optimizer(model.parameter_groups(), training)
        weights_K = class_weights(_counts(data, training), training.class_weight)
        self._weights_K = weights_K.to(self._device)
        self._steps_per_epoch = math.ceil(data.num_train / training.batch_size)
        self._epoch = 0

    def run(self, epoch: int, watch: Stopwatch) -> dict[str, float]:
        """Train one epoch, counted from 0; gives ``train_loss`` and ``learning_rate``."""
        self._epoch = epoch
        self._model.train()
        self._model.begin_epoch(epoch)
        totals = torch.zeros(2, dtype=torch.float64, device=self._device)  # loss sum, rows
        num_rows, rate = 0, 0.0
        for number, batch in enumerate(watch.over(self._data.train_batches(epoch))):
            step = epoch * self._steps_per_epoch + number
            rate = learning_rate_at(self._training, step, self._steps_per_epoch)
            set_learning_rate(
                self._optimizer, rate, lambda group: self._model.rate_factor(group, epoch)
            )
            # Kept on the device: reading it at each step would stall a GPU.
            totals[0] += self._step(batch)
            num_rows += batch.labels.shape[0]
        with watch:
            totals[1] = num_rows
            average_buffers(self._model, num_rows, self._world_size)
            loss_sum, num_global = sum_over_ranks(totals, self._world_size).tolist()
        return {"train_loss": loss_sum / num_global, "learning_rate": rate}

    def tensors(self) -> dict[str, Tensor]:
        """The optimizer's state, as tensors by name."""
        return optimizer_tensors(self._optimizer)

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what ``tensors`` gave; raises DataError if it is another model's."""
        load_optimizer_tensors(self._optimizer, tensors)

    def _step(self, batch: Batch) -> Tensor:
        """One optimizer step on a share; the sum of its rows' losses."""
        self._optimizer.zero_grad(set_to_none=True)
        if self._training.by_dimensions:
            loss, loss_sum = self._agreement_loss(batch)
        else:
            loss_sum = self._loss_sum(batch) if batch.labels.shape[0] else self._idle_loss(batch)
            # The wrapper averages gradients over ranks, so the global mean needs this factor.
            loss = loss_sum * (self._world_size / batch.num_global)
        penalty = self._model.penalty()
        (loss if penalty is None else loss + penalty).backward()  # type: ignore[no-untyped-call]
        drop_frozen_gradients(self._optimizer)
        if self._training.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self._model.parameters(), self._training.gradient_clip)
        self._optimizer.step()
        return loss_sum.detach()

    def _loss_sum(self, batch: Batch) -> Tensor:
        inputs, lengths = self._normaliser(batch)
        inputs = spec_augment(inputs, lengths, self._augment, self._data.shapes)
        inputs, lengths, targets_BK = self._mixup(inputs, lengths, self._targets(batch))
        with autocast(self._training, self._device):
            logits_BK = self._network(inputs, lengths)
        return soft_cross_entropy(logits_BK, targets_BK).sum()

    def _agreement_loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What is minimised, of the whole batch, and this share's part of the sum that is told."""
        idle, num_rows = None, batch.labels.shape[0]
        if num_rows:
            inputs, lengths, ratings_BD = self._mixed(batch)
            with autocast(self._training, self._device):
                predicted_BD = self._network(inputs, lengths)
        else:
            idle = self._idle_loss(batch)
            ratings_BD = predicted_BD = torch.zeros(0, self._data.num_classes, device=self._device)
        loss = ccc_loss(predicted_BD, ratings_BD, self._world_size)
        # Each rank's gradient is its share of the sum, which the wrapper will divide by the ranks.
        minimised = loss * self._world_size
        return (minimised if idle is None else minimised + idle), loss.detach() * num_rows

    def _mixed(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
        """Inputs as they are learned from, their lengths and their ratings, mixed if asked for."""
        assert batch.ratings is not None
        inputs, lengths = self._normaliser(batch)
        inputs = spec_augment(inputs, lengths, self._augment, self._data.shapes)
        ratings_BD = batch.ratings.to(self._device, non_blocking=True)
        return self._mixup(inputs, lengths, ratings_BD)

    def _mixup(
        self, inputs: dict[str, Tensor], lengths: dict[str, Tensor], targets_BK: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
        """Each row mixed with another of its share, and what is learned of it likewise."""
        if self._training.mixup_alpha <= 0:
            return inputs, lengths, targets_BK
        share = mixing_share(self._training.mixup_alpha)
        order_B = torch.randperm(len(targets_BK), device=self._device)
        return (
            {stream: mix(x_BTF, order_B, share) for stream, x_BTF in inputs.items()},
            {stream: n_B.maximum(n_B[order_B]) for stream, n_B in lengths.items()},
            mix(targets_BK, order_B, share),
        )

    def _targets(self, batch: Batch) -> Tensor:
        """What is learned of each row, smoothed and weighted, (B, K)."""
        smoothing = self._training.label_smoothing
        if self._training.by_votes:
            assert batch.shares is not None
            shares_BK = batch.shares.to(self._device, non_blocking=True)
            return distribution_targets(shares_BK, self._weights_K, smoothing)
        labels_B = batch.labels.to(self._device, non_blocking=True)
        return soft_targets(labels_B, self._weights_K, smoothing)

    def _idle_loss(self, batch: Batch) -> Tensor:
        """A zero that depends on every weight, so that an empty share joins the reduction.

        One row of zeros, standing by: batch norm's statistics stay untouched.
        """
        inputs, lengths = idle_inputs(batch.inputs, self._device)
        stand_by(self._model)
        with autocast(self._training, self._device):
            logits_BK = self._network(inputs, lengths)
        self._model.train()
        self._model.begin_epoch(self._epoch)
        return logits_BK.float().sum() * 0.0


def _counts(data: TrialData, training: TrainingConfig) -> Sequence[float]:
    """How much of the training rows each class has, as they are learned."""
    if not training.by_votes:
        return data.class_counts
    if data.class_shares is None:
        raise DataError("training.targets is 'distribution': no training recording has votes")
    return data.class_shares
