"""One trial's learning, an epoch at a time.

Every epoch starts by seeding torch's generators from (seed, epoch, rank), so a trial that
continues from a checkpoint equals an uninterrupted one without any saved random state.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from raysearch import published_folder
from raysearch.config.identity import seed_from
from raysearch.errors import DataError, NonFiniteLossError
from raysearch.features.extractor import FeatureConfig
from raysearch.models.base import Model, ModelConfig, SolvedModel
from raysearch.models.dimension_net import DimensionNet
from raysearch.training import checkpoint
from raysearch.training.data import TrialData
from raysearch.training.distributed import sum_over_ranks
from raysearch.training.gradient import GradientFit, autocast
from raysearch.training.inputs import INPUTS, save_inputs
from raysearch.training.memory_format import memory_format
from raysearch.training.network import build_network
from raysearch.training.normalise import Normaliser
from raysearch.training.predictions import PREDICTIONS, Predictions
from raysearch.training.scoring import (
    Scores,
    dimension_metrics,
    gather_scores,
    objective_value,
    score_batches,
    validation_metrics,
)
from raysearch.training.solver import SolverFit
from raysearch.training.start_weights import Start, take_over
from raysearch.training.stopwatch import Stopwatch
from raysearch.training.training_sections import SpecAugmentConfig, TrainingConfig
from raysearch.training.trial_state import TrialState

__all__ = ["EpochResult", "Learner"]


@dataclass(frozen=True, slots=True)
class EpochResult:
    """Losses, scores and times of one epoch.

    Attributes:
        epoch: epochs done, this one included.
        metrics: train_loss and learning_rate, and with validation rows every metric of the table
            and the objective.
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
        start: weights that an earlier training left, to start from.
        labels: the classes in order, to compare with those of ``start``; or the dimensions.

    Attributes:
        epoch: epochs done.
        best_epoch: the epoch with the best validation value, 0 before the first; without
            validation rows the last one.
        best_value: that value, higher is better; None before the first epoch.
        history: the metrics of each epoch done.
        model: the bare network.

    Raises:
        DataError: no training rows, or nothing of ``start`` fits.
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
        objective: str = "val_uar",
        features: Mapping[str, FeatureConfig] | None = None,
        start: Start | None = None,
        labels: Sequence[str] = (),
    ) -> None:
        if not data.num_train:
            raise DataError("no training rows: there is nothing to learn from")
        self.training, self.augment, self.data = training, spec_augment, data
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self.device, self.objective = device, objective
        self.epoch, self.best_epoch = 0, 0
        self.best_value: float | None = None
        self.history: list[dict[str, float]] = []
        self._best: dict[str, Tensor] = {}
        self._scores: Scores | None = None
        self._best_predictions: Predictions | None = None
        self._labels = tuple(labels)
        self._build(model, features or {}, start)

    def _build(
        self,
        config: ModelConfig,
        features: Mapping[str, FeatureConfig],
        start: Start | None,
    ) -> None:
        torch.manual_seed(seed_from(self.seed, "init"))

        def network(num_outputs: int) -> Model:
            return build_network(config, self.training, self.data.shapes, num_outputs)

        self.model = network(self.data.num_classes)
        if isinstance(self.model, DimensionNet):
            assert self.data.rating_scale is not None
            self.model.set_scale(*self.data.rating_scale)
        self.model.load_pretrained(features)
        if start is not None:
            take_over(self.model, start, self._labels, network)
        order = memory_format(self.model, self.training.channels_last, self.device)
        self.model.to(device=self.device, memory_format=order)  # type: ignore[call-overload]
        self._normaliser = Normaliser(
            self.training.normalise, self.data.normalisation, self.data.shapes, self.device
        )
        self._fit = self._choose_fit()

    def _choose_fit(self) -> GradientFit | SolverFit:
        data, normaliser, world_size = self.data, self._normaliser, self.world_size
        if isinstance(self.model, SolvedModel):
            return SolverFit(self.model, self.training, data, normaliser, world_size, self.seed)
        return GradientFit(self.model, self.training, self.augment, data, normaliser, world_size)

    @property
    def num_params(self) -> int:
        """Trainable parameters."""
        return self.model.num_params

    @property
    def finished(self) -> bool:
        """Whether all epochs are done or patience is spent."""
        patience = self.training.patience
        spent = patience is not None and self.epoch - self.best_epoch >= patience
        return spent or self.epoch >= min(self.training.epochs, self._fit.max_epochs)

    def run_epoch(self) -> EpochResult:
        """Train one epoch, validate, remember the best weights.

        Raises:
            NonFiniteLossError: on all ranks together, from the loss summed over them.
        """
        result = self.advance()
        self.remember(self.value_of(result.metrics))
        return result

    def value_of(self, metrics: dict[str, float]) -> float:
        """Return what an epoch with these metrics is worth; without validation the last is best."""
        if not self.data.num_validation:
            return float(self.epoch)
        return objective_value(metrics, self.objective)

    def advance(self) -> EpochResult:
        """Train an epoch as ``run_epoch`` does; ``remember`` says whether it is the best."""
        assert not self.finished, "the trial has had all of its epochs"
        torch.manual_seed(seed_from(self.seed, self.epoch, self.rank))
        watch = Stopwatch()
        values = self._fit.run(self.epoch, watch)
        self._check_finite("training", values["train_loss"], values)
        if self.data.num_validation:
            values |= self._validate(watch)
            self._check_finite("validation", values["val_loss"], values)
        self.epoch += 1
        self.history.append(values)
        return EpochResult(self.epoch, dict(values), watch.seconds)

    def _validate(self, watch: Stopwatch) -> dict[str, float]:
        batches = watch.over(self.data.validation_batches())
        self._scores = score_batches(
            self.model,
            batches,
            self._normaliser,
            self.data.num_classes,
            autocast(self.training, self.device),
        )
        if self.training.by_dimensions:
            return self._agreement(watch)
        with watch:
            own = torch.cat([self._scores.divergence(), self._scores.totals()])
            whole = sum_over_ranks(own.to(self.device), self.world_size).cpu()
        return validation_metrics(whole[2:], self.history, self.objective, divergence=whole[:2])

    def _agreement(self, watch: Stopwatch) -> dict[str, float]:
        """The metrics of the dimensions, from the scores of all ranks."""
        assert self._scores is not None
        with watch:
            own_DS = self._scores.agreement().to(self.device)
            whole_DS = sum_over_ranks(own_DS, self.world_size).cpu()
        return dimension_metrics(whole_DS, self._labels, self.history, self.objective)

    def _check_finite(self, kind: str, loss: float, values: Mapping[str, float]) -> None:
        if not math.isfinite(loss):
            rate = values.get("learning_rate")
            hint = "" if rate is None else f" (learning rate {rate:.3g})"
            raise NonFiniteLossError(
                f"the {kind} loss became {loss} in epoch {self.epoch + 1}{hint}"
            )

    def remember(self, value: float) -> None:
        """Keep the weights as they are now if ``value``, higher is better, is the best so far."""
        if value > (-math.inf if self.best_value is None else self.best_value):
            self.best_epoch, self.best_value = self.epoch, value
            self._best = checkpoint.cpu_copy(self.model.state_dict())
            self._best_predictions = self._predictions()

    def _predictions(self) -> Predictions | None:
        """Of all ranks' validation rows, by the weights as they are now; of emotions alone."""
        if self._scores is None or self.training.by_dimensions:
            return None
        scores = gather_scores(self._scores, self.world_size)
        ids = self.data.validation_ids
        return Predictions(
            tuple(ids[row] for row in scores.index.tolist()),
            scores.labels.numpy(),
            scores.log_probs.numpy(),
        )

    def save(
        self,
        folder: Path,
        extra: Mapping[str, object] | None = None,
        *,
        guard: Callable[[], None] | None = None,
    ) -> None:
        """Publish a checkpoint; one rank does it, for all ranks hold the same.

        Args:
            folder: replaced as a whole.
            extra: plain JSON values to keep beside the learner's own.
            guard: called just before publication; what it raises stops it.
        """
        published_folder.publish(folder, lambda stage: self.write(stage, extra), guard=guard)

    def write(
        self, stage: Path, extra: Mapping[str, object] | None = None, prefix: str = ""
    ) -> None:
        """Write a checkpoint's files into ``stage``; arguments as ``save`` and ``TrialState``."""
        state = TrialState(
            epoch=self.epoch,
            best_epoch=self.best_epoch,
            best_value=self.best_value,
            history=self.history,
            seed=self.seed,
            objective=self.objective,
            extra=dict(extra or {}),
        )
        state.write(stage, self.model.state_dict(), self._best, self._fit.tensors(), prefix)
        save_inputs(stage / f"{prefix}{INPUTS}", self.data.shapes, self.data.normalisation)
        if self._best_predictions is not None:
            self._best_predictions.save(stage / f"{prefix}{PREDICTIONS}")

    def load(self, folder: Path, prefix: str = "") -> dict[str, object]:
        """Continue from a checkpoint, and return what was stored as ``extra``.

        Raises:
            DataError: damaged, of another model, or of another seed or objective.
        """
        state, last, best, optimizer = TrialState.load(folder, prefix)
        if (state.seed, state.objective) != (self.seed, self.objective):
            raise DataError(f"{folder}: a checkpoint of another seed or objective")
        checkpoint.load_weights(self.model, last, f"{folder}")
        self._fit.load_tensors(optimizer)
        self.epoch, self.history = state.epoch, list(state.history)
        self.best_epoch, self.best_value = state.best_epoch, state.best_value
        self._best = best
        predictions = folder / f"{prefix}{PREDICTIONS}"
        # A checkpoint of an earlier version has none: the trial goes on, out of ensembles.
        self._best_predictions = Predictions.load(predictions) if predictions.exists() else None
        return state.extra

    def close(self) -> None:
        """Free the model, the optimizer and a GPU's cached memory; nothing can be done after it."""
        self._best = {}
        del self.model, self._fit, self._normaliser
        if self.training.compile:  # or the ninth trial of a process would not be compiled
            torch.compiler.reset()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
