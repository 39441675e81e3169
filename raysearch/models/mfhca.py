"""MFHCA (arXiv 2404.13509): a log-mel spectrogram and an SSL encoder's frames, fused.

Multi-spatial fusion and GRF blocks make a vector of the spectrogram; hierarchical cooperative
attention makes one of the SSL frames; both together are classified. Details are those of the
released code, as far as they are known; sizes follow from the input, and are the paper's for 3 s
and HuBERT-base. Otherwise than there:

- the spectrogram has one channel of its own size, not three grey copies resized to 256, and is
  normalised as ``training.normalise`` says, not by min and max and ImageNet's statistics;
- kernels of even size gain a row instead of losing one; pooling and attention leave padding out;
- the encoder may stay frozen, and be read from any layer or a mixture of layers; another one, such
  as Whisper, in HuBERT's place makes it a variant.

Axes: B batch, T frames, F bins, N samples, D values of a vector, K emotions.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.features.ssl import SslConfig
from raysearch.models.base import Model, ModelConfig
from raysearch.models.layers.cooperative import GRID, CooperativeAttention
from raysearch.models.layers.grf import SpectralBranch
from raysearch.models.layers.ssl_frames import SslFrames

__all__ = ["Mfhca", "MfhcaConfig"]

WIDTHS = (16, 32, 48)


class MfhcaConfig(ModelConfig):
    """Sizes of the network, and which of its parts are used."""

    name: str = Field("mfhca", description="which architecture this is")
    modality: Literal["both", "mel", "ssl"] = Field(
        "both", description="the streams that are read; one alone for comparison"
    )
    grf_width: float = Field(
        1.0, ge=0.25, le=4, description="channels of the GRF blocks, as a multiple of 16, 32, 48"
    )
    attention_ratio: Literal[2, 4, 8, 16, 32] = Field(
        32, description="how much coordinate attention narrows its hidden layer (8 at least)"
    )
    dilation: int = Field(2, ge=1, le=8, description="of the GRF blocks' view of the whole map")
    lstm_hidden: int = Field(
        384, ge=16, le=1024, multiple_of=GRID // 2, description="state of one direction"
    )
    fusion_width: int = Field(128, ge=8, le=1024, description="values of each stream's vector")
    dropout: float = Field(
        0.1, ge=0, lt=1, description="dropout in the classifier and in an encoder that is tuned"
    )
    backbone_rate: float = Field(
        1.0, gt=0, le=1, description="a tuned encoder's share of the learning rate"
    )
    freeze_epochs: int = Field(
        0, ge=0, le=1000, description="epochs that a tuned encoder waits before it learns"
    )
    multi_spatial: bool = Field(True, description="multi-spatial fusion, or one 3x3 convolution")
    grf: bool = Field(True, description="GRF blocks, or plain residual blocks")
    cooperative: bool = Field(
        True, description="cooperative attention, or the mean of the LSTM's states"
    )


class Mfhca(Model):
    """The network.

    Args:
        config: sizes and parts.
        shapes: ``mel`` and ``ssl``, or the one that is read; ``ssl`` holds frames, or the
            waveform and what encodes it.
        num_classes: emotions (K).
    """

    Config: ClassVar[type[ModelConfig]] = MfhcaConfig
    config: MfhcaConfig
    streams: ClassVar[tuple[str, ...]] = ("mel", "ssl")
    stream_fields: ClassVar[tuple[str, ...]] = ("modality",)
    learning_fields: ClassVar[tuple[str, ...]] = ("dropout", "backbone_rate", "freeze_epochs")

    def __init__(
        self, config: MfhcaConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        used = self.required_streams(config)
        self.frames: SslFrames | None = None
        self.spectral: SpectralBranch | None = None
        self.cooperative: CooperativeAttention | None = None
        width = config.fusion_width
        if "mel" in used:
            self.spectral = _spectral(config, shapes["mel"].num_channels)
            self.project = nn.Linear(self.spectral.num_features, width)
        if "ssl" in used:
            self._build_ssl(shapes["ssl"])
        self.classifier = nn.Sequential(
            *_layer(len(used) * width, width, config.dropout),
            *_layer(width, width, config.dropout),
            nn.Linear(width, num_classes),
        )

    def _build_ssl(self, shape: StreamShape) -> None:
        config = self.config
        self.frames = SslFrames(shape, config.dropout)
        self.cooperative = CooperativeAttention(
            self.frames.num_bins,
            self.frames.num_frames,
            config.lstm_hidden,
            config.fusion_width,
            num_features=self.spectral.num_features if self.spectral else None,
            product=config.cooperative,
        )

    @classmethod
    def required_streams(cls, config: ModelConfig) -> tuple[str, ...]:
        """Both streams, or the one that ``modality`` names."""
        assert isinstance(config, MfhcaConfig)
        return cls.streams if config.modality == "both" else (config.modality,)

    @classmethod
    def check(
        cls, config: ModelConfig, features: Mapping[str, FeatureConfig], normalise: str
    ) -> None:
        """Refuse statistics: the attention is over frames."""
        del normalise
        stream = features.get("ssl")
        pooled = isinstance(stream, SslConfig) and stream.pool != "none"
        if pooled and "ssl" in cls.required_streams(config):
            raise ValueError("MFHCA reads frames: set features.ssl.pool to none")

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """As ``Model.forward``."""
        parts, vector_BD = [], None
        if self.spectral is not None:
            vector_BD = self.spectral(inputs["mel"], lengths["mel"])
            parts.append(self.project(vector_BD))
        if self.frames is not None and self.cooperative is not None:
            x_BTF, lengths_B = self.frames(inputs["ssl"], lengths["ssl"])
            parts.append(self.cooperative(x_BTF, lengths_B, vector_BD))
        logits_BK: Tensor = self.classifier(torch.cat(parts, dim=1))
        return logits_BK

    def load_pretrained(self, features: Mapping[str, FeatureConfig]) -> None:
        """Load the encoder's weights, if the model tunes it."""
        if self.frames is not None:
            self.frames.load_pretrained(features["ssl"])

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Separate the parameters of an encoder that is tuned from all others."""
        backbone = self.frames.tuned_parameters() if self.frames else []
        if not backbone:
            return super().parameter_groups()
        known = {id(param) for param in backbone}
        return {
            "backbone": backbone,
            "rest": [param for param in self.parameters() if id(param) not in known],
        }

    def rate_factor(self, group: str, epoch: int) -> float:
        """The factor on the encoder's learning rate: 0 while it is still frozen."""
        if group != "backbone":
            return 1.0
        return 0.0 if epoch < self.config.freeze_epochs else self.config.backbone_rate

    def begin_epoch(self, epoch: int) -> None:
        """Switch dropout off in an encoder that is still frozen."""
        encoder = self.frames.encoder if self.frames else None
        if encoder is not None and epoch < self.config.freeze_epochs:
            encoder.eval()


def _spectral(config: MfhcaConfig, num_channels: int) -> SpectralBranch:
    # Even, for the fusion's two halves.
    widths = [max(2, 2 * round(width * config.grf_width / 2)) for width in WIDTHS]
    return SpectralBranch(
        widths,
        config.attention_ratio,
        config.dilation,
        multi_spatial=config.multi_spatial,
        grf=config.grf,
        num_channels=num_channels,
    )


def _layer(num_in: int, num_out: int, dropout: float) -> tuple[nn.Module, ...]:
    return nn.Linear(num_in, num_out), nn.ReLU(), nn.Dropout(dropout)
