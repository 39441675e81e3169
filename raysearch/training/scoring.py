"""From windows to one score an utterance, and from scores to metrics.

Axes: B windows of a batch, N utterances, K emotions.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from raysearch.config.metric_table import METRICS, EpochScores, metric_of
from raysearch.models.base import Model
from raysearch.training import metrics
from raysearch.training.concordance import ccc, sums_of
from raysearch.training.data import Batch
from raysearch.training.normalise import Normaliser

__all__ = [
    "Scores",
    "dimension_metrics",
    "gather_scores",
    "objective_value",
    "score_batches",
    "validation_metrics",
]


@dataclass(frozen=True, slots=True)
class Scores:
    """One rank's scores of its utterances, on the CPU.

    Attributes:
        index: (N,) row numbers, ascending, each once.
        labels: (N,) true class indices.
        log_probs: (N, K) mean log-softmax over an utterance's windows, float64; where dimensions
            are predicted, the mean of their numbers.
        shares: (N, K) distributions of the votes; None where nobody voted.
        ratings: (N, D) of the dimensions; None where emotions are predicted, or without rows.
    """

    index: Tensor
    labels: Tensor
    log_probs: Tensor
    shares: Tensor | None = None
    ratings: Tensor | None = None

    def agreement(self) -> Tensor:
        """The sums of each dimension that its coefficient follows from, float64 (D, S)."""
        rated_ND = self.log_probs if self.ratings is None else self.ratings
        return sums_of(self.log_probs, rated_ND)

    def totals(self) -> Tensor:
        """Loss sum, number of utterances, then the confusion counts, float64 (2 + K * K,).

        Totals of several ranks are added before anything is divided; counts stay exact.
        """
        num_classes = self.log_probs.shape[1]
        losses_N = -self.log_probs.gather(1, self.labels[:, None])[:, 0]
        confusion = metrics.confusion_matrix(
            self.labels.numpy(), self.log_probs.argmax(dim=1).numpy(), num_classes
        )
        head = torch.stack([losses_N.sum(), torch.tensor(float(len(losses_N))).double()])
        return torch.cat([head, torch.from_numpy(confusion).double().flatten()])

    def divergence(self) -> Tensor:
        """Sum of the rows' divergences from their votes, and their number, float64.

        A row without votes diverges from its label.
        """
        if self.shares is None:
            return torch.zeros(2, dtype=torch.float64)
        # A mean of log-probabilities does not sum to 1.
        probs_NK = self.log_probs.softmax(dim=1).numpy()
        total = metrics.jensen_shannon(self.shares.double().numpy(), probs_NK).sum()
        return torch.tensor([float(total), float(len(self.shares))]).double()


@torch.inference_mode()
def score_batches(
    model: Model,
    batches: Iterable[Batch],
    normaliser: Normaliser,
    num_classes: int,
    autocast: AbstractContextManager[object],
) -> Scores:
    """Scores of all utterances in ``batches``; leaves the model in evaluation mode.

    Args:
        model: the bare network, not its distributed wrapper.
        batches: windows; an utterance's may lie in several batches.
        normaliser: the one used in training.
        num_classes: emotions (K), or dimensions.
        autocast: entered around each forward pass; must be reusable.
    """
    model.eval()
    log_probs, labels, index = [torch.empty(0, num_classes)], [], []
    shares: list[Tensor] = []
    ratings: list[Tensor] = []
    for batch in batches:
        if batch.labels.shape[0] == 0:
            continue
        inputs, lengths = normaliser(batch)
        with autocast:
            outputs_BK = model(inputs, lengths)
        log_probs.append(model.window_scores(outputs_BK).cpu())
        labels.append(batch.labels.cpu())
        index.append(batch.index.cpu())
        if batch.shares is not None:
            shares.append(batch.shares.cpu())
        if batch.ratings is not None:
            ratings.append(batch.ratings.cpu())
    none = torch.empty(0, dtype=torch.long)
    return _by_utterance(
        torch.cat(log_probs),
        torch.cat([none, *labels]),
        torch.cat([none, *index]),
        torch.cat(shares) if shares else None,
        torch.cat(ratings) if ratings else None,
    )


def gather_scores(scores: Scores, world_size: int) -> Scores:
    """Every rank's utterances together, by row number, without votes; all ranks call it."""
    if world_size == 1:
        return scores
    parts: list[Scores] = [scores] * world_size
    dist.all_gather_object(parts, scores)
    index_N = torch.cat([part.index for part in parts])
    order_N = index_N.argsort()
    return Scores(
        index_N[order_N],
        torch.cat([part.labels for part in parts])[order_N],
        torch.cat([part.log_probs for part in parts])[order_N],
    )


def validation_metrics(
    totals: Tensor,
    history: Sequence[Mapping[str, float]] = (),
    objective: str = "",
    *,
    divergence: Tensor | None = None,
) -> dict[str, float]:
    """Compute every metric of the table, without those of votes where there are none.

    Args:
        totals: of all ranks, summed.
        history: the metrics of the epochs before, oldest first.
        objective: a metric of the user's own that is computed, too.
        divergence: what ``Scores.divergence`` gives, of all ranks, summed; None without votes.

    Raises:
        ValueError: the user's own metric is not a finite number.
    """
    num_classes = round((len(totals) - 2) ** 0.5)
    confusion_KK = totals[2:].cpu().numpy().reshape(num_classes, num_classes)
    voted = divergence is not None and float(divergence[1]) > 0
    mean = float(divergence[0] / divergence[1]) if divergence is not None and voted else None
    scores = EpochScores(float(totals[0] / totals[1]), confusion_KK, history, mean)
    table = [
        name
        for name in METRICS.built_in
        if metric_of(name).is_known({}) and (voted or not metric_of(name).of_votes)
    ]
    return _computed([*table, objective], scores, objective)


def dimension_metrics(
    sums_DS: Tensor,
    dimensions: Sequence[str],
    history: Sequence[Mapping[str, float]] = (),
    objective: str = "",
) -> dict[str, float]:
    """Compute every metric of the table that is of the predicted dimensions.

    Args:
        sums_DS: what ``Scores.agreement`` gives, of all ranks, summed.
        dimensions: their names.
        history: the metrics of the epochs before, oldest first.
        objective: a metric of the user's own that is computed, too.

    Raises:
        ValueError: the user's own metric is not a finite number.
    """
    found_D = ccc(sums_DS).tolist()
    concordance = dict(zip(dimensions, found_D, strict=True))
    loss = 1 - sum(found_D) / len(found_D)
    scores = EpochScores(loss, np.zeros((0, 0)), history, concordance=concordance)
    table = [name for name in METRICS.built_in if metric_of(name).is_known(concordance)]
    return {"val_loss": loss, **_computed([*table, objective], scores, objective)}


def _computed(names: Sequence[str], scores: EpochScores, objective: str) -> dict[str, float]:
    found = {name: metric_of(name).compute(scores) for name in dict.fromkeys(filter(None, names))}
    if objective not in METRICS.built_in and not np.isfinite(found.get(objective, 0.0)):
        raise ValueError(f"{objective}: an epoch's value is {found[objective]}, no finite number")
    return found


def objective_value(values: Mapping[str, float], objective: str) -> float:
    """Return what the search maximises: the metric, higher is better; minus infinity for NaN."""
    value = metric_of(objective).signed(values[objective])
    return float("-inf") if np.isnan(value) else value


def _by_utterance(
    log_probs_BK: Tensor,
    labels_B: Tensor,
    index_B: Tensor,
    shares_BK: Tensor | None,
    ratings_BD: Tensor | None,
) -> Scores:
    index_N, group_B, num_windows_N = torch.unique(index_B, return_inverse=True, return_counts=True)
    sums_NK = torch.zeros(len(index_N), log_probs_BK.shape[1], dtype=torch.float64)
    sums_NK.index_add_(0, group_B, log_probs_BK.double())
    labels_N = torch.empty_like(index_N).index_copy_(0, group_B, labels_B)
    shares_NK, ratings_ND = (
        None if rows_BK is None else torch.zeros(sums_NK.shape).index_copy_(0, group_B, rows_BK)
        for rows_BK in (shares_BK, ratings_BD)
    )
    return Scores(index_N, labels_N, sums_NK / num_windows_N[:, None], shares_NK, ratings_ND)
