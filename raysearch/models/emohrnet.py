"""EmoHRNet (arXiv 2510.06072): a high-resolution network over the mel-spectrogram.

A strided stem, parallel resolutions that keep exchanging (HRNet, arXiv 1908.07919), a fuse
layer to one high-resolution map, masked global average pooling, one linear layer. The paper
leaves variant sizes open, so they are fields, and so is a recurrent or attentive ``head``.

Axes: B batch, T frames, F mel bins, C channels, H frequency, W time, K emotions.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.models.base import Model, ModelConfig
from raysearch.models.layers.attention import AttentionName, build_attention
from raysearch.models.layers.blocks import Bottleneck, conv_norm
from raysearch.models.layers.exchange import HRModule, Transition
from raysearch.models.layers.fuse import FuseLayer
from raysearch.models.layers.mel_map import mel_map
from raysearch.models.layers.pooling import frame_mask, masked_mean
from raysearch.models.layers.side_statistics import SideStatistics
from raysearch.models.layers.temporal_head import Head, TemporalHead

__all__ = ["EmoHRNet", "EmoHRNetConfig"]

# Parts of the network that can be taken out.
_PARTS = ("exchange", "fuse_residual")


class EmoHRNetConfig(ModelConfig):
    """EmoHRNet's fields; the paper gives none of these sizes."""

    name: str = Field("emohrnet", description="which architecture this is")
    width: int = Field(16, ge=4, le=128, description="C: channels of the highest resolution")
    branches: Literal[1, 2, 3, 4] = Field(
        4, description="parallel resolutions at the end; 1: the highest alone, through all modules"
    )
    blocks: int = Field(2, ge=1, le=8, description="BasicBlocks a branch in each module")
    modules: str = Field(
        "1/1/1",
        pattern=r"^[1-8]/[1-8]/[1-8]$",
        description="modules in stages 2/3/4; stages beyond the branches are unused",
    )
    exchange: bool = Field(True, description="whether the branches exchange what they found")
    fuse_residual: bool = Field(
        True, description="whether the fuse layer adds the branches to their mixture"
    )
    stem_stride: Literal[2, 4] = Field(4, description="how much the stem shrinks both axes")
    stem_width: int = Field(64, ge=8, le=128, description="channels of the stem")
    stage1_blocks: int = Field(1, ge=1, le=8, description="Bottlenecks in stage 1")
    fuse_attention: AttentionName = Field("none", description="attention on the fused map")
    attention_ratio: Literal[2, 4, 8, 16, 32] = Field(
        8, description="how much the attention narrows its hidden layer"
    )
    head: Head = Field(
        "pool",
        description="from the map to the utterance: its mean; or recurrence or attention over time",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout before the last layer")
    prosody: bool = Field(
        False, description="statistics of the prosody stream beside the map, a question left open"
    )

    def identity(self) -> dict[str, object]:
        """As it is; a pooled trial with every part is what it was before there was a choice."""
        fields = super().identity()
        return {
            name: value
            for name, value in fields.items()
            if (name not in _PARTS or not value) and (name, value) != ("head", "pool")
        }


class EmoHRNet(Model):
    """The network; any input from a few frames up, 32x32 included.

    Args:
        config: sizes.
        shapes: must hold ``mel``, and ``prosody`` if asked for; the network itself is fully
            convolutional.
        num_classes: emotions (K).
    """

    Config: ClassVar[type[ModelConfig]] = EmoHRNetConfig
    streams: ClassVar[tuple[str, ...]] = ("mel",)
    stream_fields: ClassVar[tuple[str, ...]] = ("prosody",)
    learning_fields: ClassVar[tuple[str, ...]] = ("dropout",)

    def __init__(
        self, config: EmoHRNetConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        widths = [config.width * 2**i for i in range(config.branches)]
        self._num_channels = shapes["mel"].num_channels
        self.stem = _stem(config, self._num_channels)
        self.stage1, width1 = _stage1(config)
        self.stages = nn.ModuleList(_stages(config, width1, widths))
        self.fuse = FuseLayer(widths, residual=config.fuse_residual)
        self.attention = build_attention(
            config.fuse_attention, self.fuse.width, config.attention_ratio
        )
        width = self.fuse.width
        self.head = None if config.head == "pool" else TemporalHead(config.head, width)
        num_pooled = width if self.head is None else self.head.num_features
        self.dropout = nn.Dropout(config.dropout)
        self.side_statistics = SideStatistics(shapes, "prosody" if config.prosody else None)
        self.classifier = nn.Linear(num_pooled + self.side_statistics.num_features, num_classes)
        self.apply(_initialise)

    @classmethod
    def required_streams(cls, config: ModelConfig) -> tuple[str, ...]:
        """``mel``, and ``prosody`` if it is asked for."""
        assert isinstance(config, EmoHRNetConfig)
        return ("mel", "prosody") if config.prosody else ("mel",)

    @classmethod
    def check(
        cls, config: ModelConfig, features: Mapping[str, FeatureConfig], normalise: str
    ) -> None:
        """Refuse prosody of which no statistics can be taken."""
        del normalise
        assert isinstance(config, EmoHRNetConfig)
        SideStatistics.check(features, "prosody" if config.prosody else None)

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """Logits of a batch.

        Args:
            inputs: ``mel``, and ``prosody`` if asked for: normalised x_BTF.
            lengths: their valid frames, long (B,).

        Returns:
            logits_BK.
        """
        x_BTF = inputs["mel"]
        h_BCHW = self.stage1(self.stem(mel_map(x_BTF, lengths["mel"], self._num_channels)))
        branches = [h_BCHW]
        for stage in self.stages:
            branches = stage(branches)
        fused_BCHW = self.fuse(branches)
        mask_BW = frame_mask(lengths["mel"], x_BTF.shape[1], fused_BCHW.shape[3])
        pooled_BC = self._pool(self.attention(fused_BCHW, mask_BW), mask_BW)
        features_BC = self.side_statistics(pooled_BC, inputs, lengths)
        logits_BK: Tensor = self.classifier(self.dropout(features_BC))
        return logits_BK

    def _pool(self, h_BCHW: Tensor, mask_BW: Tensor) -> Tensor:
        if self.head is None:
            return masked_mean(h_BCHW, mask_BW)
        pooled_BC: Tensor = self.head(h_BCHW.mean(dim=2).transpose(1, 2), mask_BW.sum(dim=1))
        return pooled_BC


def _stem(config: EmoHRNetConfig, num_channels: int) -> nn.Sequential:
    layers = [conv_norm(num_channels, config.stem_width, 3, stride=2)]
    if config.stem_stride == 4:
        layers.append(conv_norm(config.stem_width, config.stem_width, 3, stride=2))
    return nn.Sequential(*layers)


def _stage1(config: EmoHRNetConfig) -> tuple[nn.Sequential, int]:
    num_out = config.stem_width * Bottleneck.expansion
    inputs = [config.stem_width] + [num_out] * (config.stage1_blocks - 1)
    return nn.Sequential(*(Bottleneck(n, config.stem_width) for n in inputs)), num_out


def _stages(config: EmoHRNetConfig, width1: int, widths: list[int]) -> list[nn.Sequential]:
    num_modules = [int(part) for part in config.modules.split("/")]
    if config.branches == 1:  # as deep as the highest of four
        return [_stage(config, [width1], widths, sum(num_modules))]
    stages, before = [], [width1]
    for num_branches in range(2, config.branches + 1):
        now = widths[:num_branches]
        stages.append(_stage(config, before, now, num_modules[num_branches - 2]))
        before = now
    return stages


def _stage(
    config: EmoHRNetConfig, before: list[int], now: list[int], num_modules: int
) -> nn.Sequential:
    modules = [HRModule(now, config.blocks, exchange=config.exchange) for _ in range(num_modules)]
    return nn.Sequential(Transition(before, now), *modules)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
