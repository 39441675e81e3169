"""From a network's columns over time to one vector an utterance, otherwise than by their mean.

Axes: B batch, T columns, C channels.
"""

from typing import Literal

from torch import Tensor, nn

from raysearch.models.layers.recurrent import MaskedRecurrence
from raysearch.models.layers.statistics_pooling import StatisticsPooling

__all__ = ["Head", "TemporalHead"]

Head = Literal["pool", "lstm", "gru", "attention"]
MIN_HIDDEN = 4


class TemporalHead(nn.Module):
    """A recurrent network over the columns, or attention over them.

    ``lstm`` and ``gru`` read the columns in both directions, each with half as many states as there
    are channels, and their states are averaged. ``attention`` is attentive statistics pooling
    (Okabe et al. 2018, arXiv 1803.10963): a weighted mean and deviation, whatever the columns'
    order. Padding is not read.

    Args:
        kind: which of them; ``pool``, which is a network's own pooling, is none.
        num_channels: C.

    Attributes:
        num_features: values of the vector.
    """

    def __init__(self, kind: Head, num_channels: int) -> None:
        super().__init__()
        assert kind != "pool"
        hidden = max(MIN_HIDDEN, num_channels // 2)
        self.recurrence: MaskedRecurrence | None = None
        if kind == "attention":
            self.pooling = StatisticsPooling("attentive", num_channels, hidden)
        else:
            self.recurrence = MaskedRecurrence(num_channels, hidden, cell=kind)
            self.pooling = StatisticsPooling("mean", self.recurrence.num_states, hidden)
        self.num_features = self.pooling.num_features

    def forward(self, h_BTC: Tensor, lengths_B: Tensor) -> Tensor:
        """(B, num_features); columns beyond ``lengths_B`` are not read."""
        if self.recurrence is not None:
            h_BTC = self.recurrence(h_BTC, lengths_B)
        features_BF: Tensor = self.pooling(h_BTC, lengths_B)
        return features_BF
