"""The attention 1D-CNN of "Spectral Learning and Attention" (arXiv 2507.03251).

Convolutions over time with MFCCs as channels, as in the paper's figure: convolution, batch norm
and maximum pooling twice, channel attention, spatial attention, a third such block, and the
classifier. Both attentions are CBAM's (arXiv 1807.06521) in one dimension. The released
notebooks have two blocks and a dense layer of 64; the paper's three blocks are built here. Its
L2 of 1e-3 on the kernels is added to the loss, as there.

Assumed, where the paper is silent: pooling by 2, dropout after each block.

Axes: B batch, T frames, F coefficients, C channels, K emotions.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from raysearch.features.extractor import StreamShape
from raysearch.models.base import Model, ModelConfig
from raysearch.models.layers.attended import Attended
from raysearch.models.layers.side_statistics import masked_mean_std
from raysearch.models.layers.temporal_head import Head, TemporalHead

__all__ = ["Cnn1dAttention", "Cnn1dAttentionConfig"]

NUM_POOLS = 3
MIN_HIDDEN = 4
Kernel = Literal[3, 5, 7, 9]


class Cnn1dAttentionConfig(ModelConfig):
    """The network's sizes; the defaults are the paper's."""

    name: str = Field("cnn1d_attention", description="which architecture this is")
    inputs: Literal["mfcc", "mel"] = Field(
        "mfcc", description="what the convolutions read; log-mel in MFCC's place for comparison"
    )
    filters: int = Field(256, ge=8, le=1024, description="C: channels of every block")
    kernel: Kernel = Field(7, description="frames that a kernel spans")
    attention: Literal["none", "channel", "spatial", "both"] = Field(
        "both", description="which attentions stand between the second and the third block"
    )
    channel_ratio: Literal[4, 8, 16, 32] = Field(
        16, description="how much channel attention narrows its hidden layer"
    )
    spatial_kernel: Kernel = Field(7, description="frames that spatial attention spans")
    l2: float = Field(1e-3, ge=0, le=1, description="what squared kernels add to the loss")
    pooling: Literal["flatten", "mean_std"] = Field(
        "flatten", description="flatten ties the network to the clip's length"
    )
    head: Head = Field(
        "pool",
        description="pool: as pooling says; else recurrence or attention over time in its place",
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout after each block")

    def identity(self) -> dict[str, object]:
        """As it is; a trial on MFCC, pooled, is what it was before there was a choice.

        Beside a head ``pooling`` is not read.
        """
        unsaid = {("inputs", "mfcc"), ("head", "pool")}
        if self.head != "pool":
            unsaid.add(("pooling", self.pooling))
        return {name: v for name, v in super().identity().items() if (name, v) not in unsaid}


class Cnn1dAttention(Model):
    """The network, for clips of the length that ``shapes`` gives; shorter ones are zero padded.

    Args:
        config: sizes.
        shapes: must hold ``mfcc``, or ``mel`` if that is read.
        num_classes: emotions (K).
    """

    Config: ClassVar[type[ModelConfig]] = Cnn1dAttentionConfig
    config: Cnn1dAttentionConfig
    streams: ClassVar[tuple[str, ...]] = ("mfcc",)
    stream_fields: ClassVar[tuple[str, ...]] = ("inputs",)
    learning_fields: ClassVar[tuple[str, ...]] = ("l2", "dropout")

    def __init__(
        self, config: Cnn1dAttentionConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        shape = shapes[config.inputs]
        self._num_frames = shape.num_frames
        width = config.filters
        self.first = _Block(shape.num_bins, config)
        self.second = _Block(width, config)
        both = config.attention == "both"
        self.channel = (
            _ChannelAttention(width, config.channel_ratio)
            if both or config.attention == "channel"
            else nn.Identity()
        )
        self.spatial = (
            _SpatialAttention(config.spatial_kernel)
            if both or config.attention == "spatial"
            else nn.Identity()
        )
        self.third = _Block(width, config)
        columns = self._num_frames
        for _ in range(NUM_POOLS):
            columns = -(-columns // 2)
        self.head = None if config.head == "pool" else TemporalHead(config.head, width)
        pooled = width * (columns if config.pooling == "flatten" else 2)
        num_features = pooled if self.head is None else self.head.num_features
        self.classifier = nn.Linear(num_features, num_classes)

    @classmethod
    def required_streams(cls, config: ModelConfig) -> tuple[str, ...]:
        """``mfcc``, or ``mel`` in its place."""
        assert isinstance(config, Cnn1dAttentionConfig)
        return (config.inputs,)

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """As ``Model.forward``; what lies beyond a row's length counts as zeros."""
        stream = self.config.inputs
        x_BTF, lengths_B = inputs[stream], lengths[stream]
        positions_T = torch.arange(x_BTF.shape[1], device=x_BTF.device)
        beyond_BT = positions_T >= lengths_B[:, None]
        x_BFT = x_BTF.masked_fill(beyond_BT[:, :, None], 0.0).transpose(1, 2)
        x_BFT = functional.pad(x_BFT, (0, max(0, self._num_frames - x_BFT.shape[2])))
        h_BCT = self.second(self.first(x_BFT))
        h_BCT = self.third(self.spatial(self.channel(h_BCT)))
        logits_BK: Tensor = self.classifier(self._pool(h_BCT, lengths_B))
        return logits_BK

    def _pool(self, h_BCT: Tensor, lengths_B: Tensor) -> Tensor:
        columns_B = -(-lengths_B // 2**NUM_POOLS)
        if self.head is not None:
            pooled_BC: Tensor = self.head(h_BCT.transpose(1, 2), columns_B)
            return pooled_BC
        if self.config.pooling == "flatten":
            return h_BCT.flatten(1)
        return masked_mean_std(h_BCT.transpose(1, 2), columns_B)

    def penalty(self) -> Tensor | None:
        """L2 of the three kernels."""
        if not self.config.l2:
            return None
        blocks = (self.first, self.second, self.third)
        squares = [block.conv.weight.square().sum() for block in blocks]
        return self.config.l2 * torch.stack(squares).sum()


class _Block(nn.Module):
    """Convolution, ReLU, batch norm, maximum over pairs of frames, dropout."""

    def __init__(self, num_in: int, config: Cnn1dAttentionConfig) -> None:
        super().__init__()
        self.conv = nn.Conv1d(num_in, config.filters, config.kernel, padding=config.kernel // 2)
        self.norm = nn.BatchNorm1d(config.filters)
        self.pool = nn.MaxPool1d(2, ceil_mode=True)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_BCT: Tensor) -> Tensor:
        h_BCT: Tensor = self.dropout(self.pool(self.norm(functional.relu(self.conv(x_BCT)))))
        return h_BCT


class _ChannelAttention(nn.Module):
    """One gate a channel, from its mean and its maximum over time through one shared network."""

    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        hidden = max(MIN_HIDDEN, width // ratio)
        self.shared = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def forward(self, h_BCT: Tensor) -> Tensor:
        gate_BC = torch.sigmoid(self.shared(h_BCT.mean(dim=2)) + self.shared(h_BCT.amax(dim=2)))
        return h_BCT * gate_BC[:, :, None]


class _SpatialAttention(nn.Module):
    """One gate a frame, from the mean and the maximum over channels."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 1, kernel, padding=kernel // 2)
        self.attended = Attended()

    def forward(self, h_BCT: Tensor) -> Tensor:
        summary_B2T = torch.stack([h_BCT.mean(dim=1), h_BCT.amax(dim=1)], dim=1)
        gated_BCT: Tensor = h_BCT * self.attended(torch.sigmoid(self.conv(summary_B2T)))
        return gated_BCT
