"""A pretrained speech encoder with a small head, as SUPERB and EmoBox probe them.

One of the encoder's layers is read, all of them side by side, or a learned mixture (SUPERB, arXiv
2105.01051, section 3.1); frames become one vector, and a linear layer or one hidden layer
classifies it. What learns of the encoder is ``tune``: nothing, its last layers, low-rank updates of
its attention (LoRA, arXiv 2106.09685), or all of it.

A frozen encoder runs once: where pooling needs no frames, the stream holds each layer's mean and
deviation over the whole utterance, and a trial takes seconds. How ``features.ssl`` is stored
follows from ``tune``, ``pooling`` and ``depth``, so that nothing is said twice.

Axes: B batch, T frames, F values a frame, K emotions.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.features.ssl import SslConfig
from raysearch.models.base import Model, ModelConfig
from raysearch.models.layers.ssl_frames import SslFrames, TunedPart, layer_at
from raysearch.models.layers.statistics_pooling import Pooling, StatisticsPooling

__all__ = ["EncoderProbe", "EncoderProbeConfig"]


# What of the stream's settings follows from which of the model's.
_FOLLOWS = {"mode": "tune", "pool": "pooling", "layer": "depth"}


class EncoderProbeConfig(ModelConfig):
    """Which part of the network learns, and the head's sizes."""

    name: str = Field("encoder_probe", description="which architecture this is")
    tune: Literal["frozen"] | TunedPart = Field(
        "frozen",
        description="what learns of the encoder: nothing, its last layers, low-rank updates of its"
        " attention, or all of it",
    )
    depth: Literal["all", "mixture"] | Annotated[float, Field(gt=0, le=1)] = Field(
        0.5,
        description="which layer is read, as a share of their number (1 is the last); all of them"
        " side by side; or a learned mixture",
    )
    last_n: int = Field(
        2, ge=1, le=96, description="last_n: how many of the layers that are run learn"
    )
    lora_rank: int = Field(8, ge=1, le=256, description="lora: rank of an update")
    lora_alpha: float = Field(16.0, gt=0, le=1024, description="lora: scale, times the rank")
    encoder_rate: float = Field(
        0.1, gt=0, le=1, description="a tuned encoder's share of the learning rate"
    )
    encoder_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="dropout inside an encoder that is tuned; Whisper has learned without",
    )
    pooling: Pooling = Field(
        "mean_std", description="from frames to the utterance; attentive reads a clip's frames"
    )
    attention_hidden: int = Field(
        64, ge=4, le=1024, description="attentive: width of the hidden layer"
    )
    hidden: int = Field(0, ge=0, le=4096, description="width of a hidden layer; 0 is none")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout in the head")


class EncoderProbe(Model):
    """The network.

    Args:
        config: what learns, and sizes.
        shapes: ``ssl``: statistics, frames, or the waveform and what encodes it.
        num_classes: emotions (K).
    """

    Config: ClassVar[type[ModelConfig]] = EncoderProbeConfig
    config: EncoderProbeConfig
    streams: ClassVar[tuple[str, ...]] = ("ssl",)
    stream_fields: ClassVar[tuple[str, ...]] = ("tune", "pooling", "depth")
    learning_fields: ClassVar[tuple[str, ...]] = ("encoder_rate", "encoder_dropout", "dropout")

    def __init__(
        self, config: EncoderProbeConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        shape = shapes["ssl"]
        self.frames = SslFrames(
            shape,
            config.encoder_dropout,
            depth=None if config.depth == "mixture" else config.depth,
            tune="all" if config.tune == "frozen" else config.tune,
            last_n=config.last_n,
            lora_rank=config.lora_rank,
            lora_alpha=config.lora_alpha,
        )
        num_features = self.frames.num_bins
        self.pool: StatisticsPooling | None = None
        if shape.kind != "vector":
            self.pool = StatisticsPooling(config.pooling, num_features, config.attention_hidden)
            num_features = self.pool.num_features
        elif config.pooling == "mean":
            num_features //= 2
        self.classifier = _head(num_features, config, num_classes)

    @classmethod
    def stream_settings(
        cls, config: ModelConfig, features: Mapping[str, FeatureConfig]
    ) -> Mapping[str, FeatureConfig]:
        """Who runs the encoder, which layers are kept, and whether frames are needed."""
        assert isinstance(config, EncoderProbeConfig)
        stream = features["ssl"]
        if not isinstance(stream, SslConfig):
            return features
        # All layers' statistics are small: one set of them serves every depth.
        change: dict[str, object] = {"mode": "frozen", "pool": "mean_std", "layer": "weighted"}
        if config.tune != "frozen" or config.pooling == "attentive":
            change["mode"] = "frozen" if config.tune == "frozen" else "tuned"
            change["pool"] = "none"
            if not isinstance(config.depth, str):
                change["layer"] = layer_at(config.depth, stream.plan().sizes.num_layers)
        return {**features, "ssl": stream.model_copy(update=change)}

    @classmethod
    def check(
        cls, config: ModelConfig, features: Mapping[str, FeatureConfig], normalise: str
    ) -> None:
        """Refuse what ``stream_settings`` would overrule, and tuning what is no encoder."""
        del normalise
        assert isinstance(config, EncoderProbeConfig)
        stream = features["ssl"]
        if not isinstance(stream, SslConfig):
            if config.tune != "frozen":
                raise ValueError(
                    f"model.tune is {config.tune!r}, but features.ssl is made by"
                    f" {stream.extractor!r}: set features.ssl.extractor to ssl, or model.tune to"
                    " frozen"
                )
            return
        for field, own in _FOLLOWS.items():
            if getattr(stream, field) != SslConfig.model_fields[field].default:
                raise ValueError(
                    f"features.ssl.{field} follows from model.{own} here: leave it out, and set"
                    f" model.{own}"
                )

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """As ``Model.forward``."""
        x_BTF, lengths_B = self.frames(inputs["ssl"], lengths["ssl"])
        if self.frames.encoder is not None:
            # Stored frames were normalised by the training rows; these have no such statistics.
            x_BTF = functional.layer_norm(x_BTF, x_BTF.shape[2:])
        if self.pool is None:
            # Of each layer that is kept its mean, then its deviation.
            x_BL2W = x_BTF.reshape(x_BTF.shape[0], self.frames.num_blocks, 2, -1)
            kept = 1 if self.config.pooling == "mean" else 2
            pooled_BF = x_BL2W[:, :, :kept].flatten(1)
        else:
            pooled_BF = self.pool(x_BTF, lengths_B)
        logits_BK: Tensor = self.classifier(pooled_BF)
        return logits_BK

    def load_pretrained(self, features: Mapping[str, FeatureConfig]) -> None:
        """Load the encoder's weights, if the model tunes it."""
        self.frames.load_pretrained(features["ssl"])

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The head with the mixture, and what is tuned of the encoder."""
        tuned = self.frames.tuned_parameters()
        if not tuned:
            return super().parameter_groups()
        known = {id(param) for param in tuned}
        rest = [p for p in self.parameters() if p.requires_grad and id(p) not in known]
        return {"encoder": tuned, "head": rest}

    def rate_factor(self, group: str, epoch: int) -> float:
        """The factor on the learning rate of the encoder's parameters."""
        del epoch
        return self.config.encoder_rate if group == "encoder" else 1.0


def _head(num_features: int, config: EncoderProbeConfig, num_classes: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Dropout(config.dropout)]
    if config.hidden:
        layers += [nn.Linear(num_features, config.hidden), nn.ReLU(), nn.Dropout(config.dropout)]
        num_features = config.hidden
    return nn.Sequential(*layers, nn.Linear(num_features, num_classes))
