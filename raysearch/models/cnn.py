"""A plain convolutional network over the mel-spectrogram, a baseline.

One of the baselines of "Amplifying Emotional Signals" (arXiv 2509.00077), which gives no sizes:
they are fields. Convolution, batch norm, ReLU and 2x2 maximum pooling a block, the channels
doubling from block to block; masked average pooling; one linear layer.

Axes: B batch, T frames, F mel bins, C channels, H frequency, W time, K emotions.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.models.base import Model, ModelConfig
from raysearch.models.layers.blocks import conv_norm
from raysearch.models.layers.mel_map import mel_map
from raysearch.models.layers.pooling import frame_mask, masked_mean
from raysearch.models.layers.side_statistics import SideStatistics

__all__ = ["Cnn", "CnnConfig"]


class CnnConfig(ModelConfig):
    """The network's sizes."""

    name: str = Field("cnn", description="which architecture this is")
    blocks: int = Field(4, ge=1, le=7, description="convolution blocks, each halving both axes")
    width: int = Field(32, ge=4, le=256, description="channels of the first block")
    kernel: Literal[3, 5, 7] = Field(3, description="width of a square kernel")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout before the last layer")
    prosody: bool = Field(False, description="statistics of the prosody stream beside the map")


class Cnn(Model):
    """The network; any input from one frame up.

    Args:
        config: sizes.
        shapes: must hold ``mel``, and ``prosody`` if it is asked for.
        num_classes: emotions (K).
    """

    Config: ClassVar[type[ModelConfig]] = CnnConfig
    streams: ClassVar[tuple[str, ...]] = ("mel",)
    stream_fields: ClassVar[tuple[str, ...]] = ("prosody",)
    learning_fields: ClassVar[tuple[str, ...]] = ("dropout",)

    def __init__(
        self, config: CnnConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        self._num_channels = shapes["mel"].num_channels
        widths = [self._num_channels, *(config.width * 2**i for i in range(config.blocks))]
        self.blocks = nn.Sequential(
            *(
                # Rounded up, so that a short clip keeps a column.
                nn.Sequential(conv_norm(a, b, config.kernel), nn.MaxPool2d(2, ceil_mode=True))
                for a, b in pairwise(widths)
            )
        )
        self.side_statistics = SideStatistics(shapes, "prosody" if config.prosody else None)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(widths[-1] + self.side_statistics.num_features, num_classes)

    @classmethod
    def required_streams(cls, config: ModelConfig) -> tuple[str, ...]:
        """``mel``, and ``prosody`` if it is asked for."""
        assert isinstance(config, CnnConfig)
        return ("mel", "prosody") if config.prosody else ("mel",)

    @classmethod
    def check(
        cls, config: ModelConfig, features: Mapping[str, FeatureConfig], normalise: str
    ) -> None:
        """Refuse prosody of which no statistics can be taken."""
        del normalise
        assert isinstance(config, CnnConfig)
        SideStatistics.check(features, "prosody" if config.prosody else None)

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """As ``Model.forward``."""
        x_BTF = inputs["mel"]
        h_BCHW = self.blocks(mel_map(x_BTF, lengths["mel"], self._num_channels))
        mask_BW = frame_mask(lengths["mel"], x_BTF.shape[1], h_BCHW.shape[3])
        pooled_BC = masked_mean(h_BCHW, mask_BW)
        features_BC = self.side_statistics(pooled_BC, inputs, lengths)
        logits_BK: Tensor = self.classifier(self.dropout(features_BC))
        return logits_BK
