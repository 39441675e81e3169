"""Any architecture as one that predicts numbers, such as arousal, in place of emotions.

Axes: B batch, D dimensions.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.models.base import Model, ModelConfig
from raysearch.models.model_table import build_model

__all__ = ["DimensionNet"]

# What all heads read, and what each makes of it before its own number.
SHARED, OWN = 64, 32
_GROUP = "dimension heads"


class DimensionNet(Model):
    """An architecture whose outputs are numbers on the scale on which people rated.

    Inside, a dimension has mean 0 and deviation 1 over the training rows; their mean and deviation
    are part of the weights, so that whoever uses the net has nothing to reverse.

    Args:
        config: of the architecture.
        shapes: what each stream's batches look like.
        num_dimensions: how many numbers (D).
        heads: ``one`` linear layer, the architecture's own, for all dimensions; or ``several``, a
            small network for each of them on what the architecture's last layer gives.
    """

    def __init__(
        self,
        config: ModelConfig,
        shapes: Mapping[str, StreamShape],
        num_dimensions: int,
        heads: Literal["one", "several"],
    ) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.network = build_model(config, shapes, num_dimensions if heads == "one" else SHARED)
        self.heads = nn.ModuleList(_head() for _ in range(num_dimensions * (heads == "several")))
        self.mean_D = nn.Parameter(torch.zeros(num_dimensions), requires_grad=False)
        self.std_D = nn.Parameter(torch.ones(num_dimensions), requires_grad=False)

    def set_scale(self, mean_D: Tensor, std_D: Tensor) -> None:
        """Predict on the scale of training rows with these statistics."""
        self.mean_D.copy_(mean_D)
        self.std_D.copy_(std_D)

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """Predictions of a batch, (B, D), on the scale of the ratings."""
        values_BD = self.network(inputs, lengths)
        if self.heads:
            values_BD = torch.cat([head(values_BD) for head in self.heads], dim=1)
        scaled_BD: Tensor = values_BD.float() * self.std_D + self.mean_D
        return scaled_BD

    def window_scores(self, outputs_BK: Tensor) -> Tensor:
        """The numbers themselves: an utterance has the mean of its windows'."""
        return outputs_BK

    def load_pretrained(self, features: Mapping[str, FeatureConfig]) -> None:
        """As the architecture does."""
        self.network.load_pretrained(features)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Those of the architecture, and the heads' own."""
        own = list(self.heads.parameters())
        return self.network.parameter_groups() | ({_GROUP: own} if own else {})

    def rate_factor(self, group: str, epoch: int) -> float:
        """As the architecture does; the heads learn at the whole rate."""
        return 1.0 if group == _GROUP else self.network.rate_factor(group, epoch)

    def begin_epoch(self, epoch: int) -> None:
        """As the architecture does."""
        self.network.begin_epoch(epoch)

    def penalty(self) -> Tensor | None:
        """As the architecture does."""
        return self.network.penalty()

    def reshape_for(self, tensors: Mapping[str, Tensor]) -> None:
        """As the architecture does."""
        self.network.reshape_for(
            {
                name.removeprefix("network."): tensor
                for name, tensor in tensors.items()
                if name.startswith("network.")
            }
        )


def _head() -> nn.Module:
    return nn.Sequential(nn.GELU(), nn.Linear(SHARED, OWN), nn.GELU(), nn.Linear(OWN, 1))
