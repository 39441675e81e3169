"""From frames to one vector an utterance. Axes: B batch, T frames, F values a frame."""

from typing import Literal

import torch
from torch import Tensor, nn

from raysearch.models.layers.attended import Attended
from raysearch.models.layers.side_statistics import masked_mean_std

__all__ = ["Pooling", "StatisticsPooling"]

Pooling = Literal["mean", "mean_std", "attentive"]

# Keeps the root's gradient finite where a value does not vary.
EPSILON = 1e-5


class StatisticsPooling(nn.Module):
    """Mean, mean and deviation, or both weighted by attention over the valid frames.

    ``attentive`` is attentive statistics pooling (Okabe et al. 2018, arXiv 1803.10963,
    equations 3 to 6), with tanh as in its experiments.

    Args:
        kind: which of them.
        num_bins: F.
        hidden: width of the attention's hidden layer.

    Attributes:
        num_features: values of the vector.
    """

    def __init__(self, kind: Pooling, num_bins: int, hidden: int) -> None:
        super().__init__()
        self._kind = kind
        self.num_features = num_bins * (1 if kind == "mean" else 2)
        self.score: nn.Sequential | None = None
        self.attended = Attended()
        if kind == "attentive":
            # No bias at the end: a constant added to every frame's score changes no weight.
            self.score = nn.Sequential(
                nn.Linear(num_bins, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False)
            )

    def forward(self, x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
        """(B, num_features); frames beyond ``lengths_B`` are not read."""
        if self.score is not None:
            return self._attend(self.score, x_BTF, lengths_B)
        return masked_mean_std(x_BTF, lengths_B)[:, : self.num_features]

    def _attend(self, score: nn.Module, x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
        padding_BT = torch.arange(x_BTF.shape[1], device=x_BTF.device) >= lengths_B[:, None]
        scores_BT = score(x_BTF)[:, :, 0].float().masked_fill(padding_BT, float("-inf"))
        weights_BT1 = self.attended(scores_BT.softmax(dim=1))[:, :, None]
        mean_BF = (weights_BT1 * x_BTF).sum(dim=1)
        variance_BF = (weights_BT1 * (x_BTF - mean_BF[:, None]).square()).sum(dim=1)
        return torch.cat([mean_BF, (variance_BF + EPSILON).sqrt()], dim=1)
