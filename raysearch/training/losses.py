"""Cross-entropy over soft, weighted targets: class weights, label smoothing and mixup in one.

Axes: B batch, T frames, F bins, K emotions.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "class_weights",
    "distribution_targets",
    "mix",
    "mixing_share",
    "soft_cross_entropy",
    "soft_targets",
]


def class_weights(counts: Sequence[float], kind: Literal["none", "sqrt", "balanced"]) -> Tensor:
    """A weight a class, (K,), whose mean over all training rows is 1.

    Args:
        counts: training rows of each class, or the sums of their distributions; a class without
            rows weighs 0.
        kind: ``balanced`` is the inverse frequency, ``sqrt`` its root.
    """
    counts_K = torch.tensor(counts, dtype=torch.float64)
    if kind == "none":
        return torch.ones(len(counts), dtype=torch.float32)
    inverse_K = torch.where(counts_K > 0, 1 / counts_K.clamp(min=1), 0.0)
    weights_K = inverse_K if kind == "balanced" else inverse_K.sqrt()
    mean = (weights_K * counts_K).sum() / counts_K.sum().clamp(min=1)
    return (weights_K / mean.clamp(min=1e-12)).float()


def soft_targets(labels_B: Tensor, weights_K: Tensor, smoothing: float) -> Tensor:
    """Make smoothed one-hot rows, each times the weight of its class, (B, K)."""
    num_classes = weights_K.shape[0]
    one_hot_BK = functional.one_hot(labels_B, num_classes).to(weights_K.dtype)
    return distribution_targets(one_hot_BK, weights_K, smoothing)


def distribution_targets(shares_BK: Tensor, weights_K: Tensor, smoothing: float) -> Tensor:
    """Make smoothed distributions, each times the mean weight of its classes, (B, K).

    Args:
        shares_BK: rows that sum to 1, by votes; one-hot rows give ``soft_targets``.
        weights_K: of the classes.
        smoothing: the part of a row that all classes share alike.
    """
    smooth_BK = shares_BK * (1 - smoothing) + smoothing / weights_K.shape[0]
    return smooth_BK * (shares_BK * weights_K).sum(dim=1, keepdim=True)


def soft_cross_entropy(logits_BK: Tensor, targets_BK: Tensor) -> Tensor:
    """Cross-entropy of each row, (B,), in float32 whatever the logits' type."""
    return -(targets_BK * functional.log_softmax(logits_BK.float(), dim=1)).sum(dim=1)


def mixing_share(alpha: float) -> float:
    """Mixup's lambda from Beta(alpha, alpha) (arXiv 1710.09412), by torch's CPU generator."""
    return float(torch.distributions.Beta(alpha, alpha).sample())


def mix(values: Tensor, order_B: Tensor, share: float) -> Tensor:
    """Mix ``share`` of each row with the rest of the row that ``order_B`` pairs it with."""
    return values.lerp(values[order_B], 1 - share)
