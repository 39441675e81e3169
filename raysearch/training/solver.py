"""Fitting a model that a solver solves in one go, through the same trials as the networks.

Axes: B batch, N training utterances, D features.
"""

from collections.abc import Mapping

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from raysearch.models.base import SolvedModel
from raysearch.training.data import TrialData
from raysearch.training.losses import class_weights
from raysearch.training.normalise import Normaliser
from raysearch.training.stopwatch import Stopwatch
from raysearch.training.training_sections import TrainingConfig

__all__ = ["SolverFit"]


class SolverFit:
    """Collects every rank's training rows and has each rank solve the same problem.

    Args:
        model: what is solved.
        training: of it, the class weights count.
        data: this rank's batches.
        normaliser: of the batches.
        world_size: ranks of the group.
        seed: the solver's.

    Attributes:
        max_epochs: 1: a solution does not improve by solving again.
    """

    max_epochs = 1

    def __init__(
        self,
        model: SolvedModel,
        training: TrainingConfig,
        data: TrialData,
        normaliser: Normaliser,
        world_size: int,
        seed: int,
    ) -> None:
        self._model, self._data, self._normaliser = model, data, normaliser
        self._world_size, self._seed = world_size, seed
        self._weights_K = class_weights(data.class_counts, training.class_weight)

    @torch.inference_mode()
    def run(self, epoch: int, watch: Stopwatch) -> dict[str, float]:
        """Solve; gives ``train_loss``, the mean cross-entropy of the training rows."""
        self._model.eval()
        parts = []
        for batch in watch.over(self._data.train_batches(epoch)):
            if batch.labels.shape[0]:
                inputs, lengths = self._normaliser(batch)
                x_BD = self._model.describe(inputs, lengths).double().cpu().numpy()
                parts.append((batch.index.cpu().numpy(), x_BD, batch.labels.cpu().numpy()))
        with watch:
            x_ND, labels_N = self._in_order(parts)
            self._model.solve(x_ND, labels_N, self._weights_K.double().numpy(), self._seed)
            described_ND = torch.from_numpy(x_ND).to(self._normaliser.device, torch.float32)
            logits_NK = self._model.classify(described_ND).float()
            targets_N = torch.from_numpy(labels_N).to(logits_NK.device)
            loss = torch.nn.functional.cross_entropy(logits_NK, targets_N)
        return {"train_loss": float(loss)}

    def tensors(self) -> dict[str, Tensor]:
        """No tensors: there is nothing beside the model's own."""
        return {}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Nothing to put back."""

    def _in_order(
        self, parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """All ranks' rows by row number, so that neither ranks nor batches change a solution."""
        gathered: list[list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = [parts]
        if self._world_size > 1:
            gathered = [[]] * self._world_size
            dist.all_gather_object(gathered, parts)
        index, x, labels = zip(*(part for rank in gathered for part in rank), strict=True)
        order_N = np.argsort(np.concatenate(index), kind="stable")
        return np.concatenate(x)[order_N], np.concatenate(labels)[order_N]
