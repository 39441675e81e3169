"""A recurrent network over the frames of the mel-spectrogram, a baseline.

One of the baselines of "Amplifying Emotional Signals" (arXiv 2509.00077), which gives no sizes:
they are fields. LSTM (Hochreiter and Schmidhuber 1997), then the last state, the mean over frames,
mean and deviation over frames, or attention over frames (as in Mirsamadi et al. 2017, ICASSP), then
one linear layer. ``conv_blocks`` puts convolution blocks before the recurrence (as in Trigeorgis
et al. 2016, ICASSP): a bare LSTM ties what it learns to the pitch and formants of its speakers.

Axes: B batch, T frames, F mel bins, C channels, K emotions.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.models.base import Model, ModelConfig
from raysearch.models.layers.attended import Attended
from raysearch.models.layers.blocks import conv_norm
from raysearch.models.layers.pooling import frame_mask
from raysearch.models.layers.recurrent import MaskedRecurrence
from raysearch.models.layers.side_statistics import SideStatistics, masked_mean_std

__all__ = ["Lstm", "LstmConfig"]


class LstmConfig(ModelConfig):
    """The network's sizes."""

    name: str = Field("lstm", description="which architecture this is")
    hidden: int = Field(128, ge=8, le=1024, description="state of one direction")
    layers: int = Field(1, ge=1, le=4, description="recurrent layers")
    bidirectional: bool = Field(True, description="a second direction, from the end")
    pooling: Literal["last", "mean", "attention", "mean_std"] = Field(
        "attention", description="from frames to the utterance"
    )
    conv_blocks: int = Field(
        0,
        ge=0,
        le=3,
        description="convolution blocks before the recurrence, each halving both axes",
    )
    conv_width: int = Field(16, ge=4, le=64, description="channels of the first such block")
    input_dropout: float = Field(0.0, ge=0, lt=1, description="dropout of what the LSTM reads")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout between layers and at the end")
    prosody: bool = Field(False, description="statistics of the prosody stream beside the state")


class Lstm(Model):
    """The network; the recurrence never reads padding.

    Convolutions in front of it do, as silence, within their receptive field of a row's last frame.

    Args:
        config: sizes.
        shapes: must hold ``mel``, and ``prosody`` if it is asked for.
        num_classes: emotions (K).
    """

    Config: ClassVar[type[ModelConfig]] = LstmConfig
    config: LstmConfig
    streams: ClassVar[tuple[str, ...]] = ("mel",)
    stream_fields: ClassVar[tuple[str, ...]] = ("prosody",)
    learning_fields: ClassVar[tuple[str, ...]] = ("input_dropout", "dropout")

    def __init__(
        self, config: LstmConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        self.front, num_inputs = _front(config, shapes["mel"].num_bins)
        self.input_dropout = nn.Dropout(config.input_dropout)
        self.lstm = MaskedRecurrence(
            num_inputs,
            config.hidden,
            layers=config.layers,
            bidirectional=config.bidirectional,
            dropout=config.dropout,
        )
        width = self.lstm.num_states * (2 if config.pooling == "mean_std" else 1)
        # No bias: a constant added to every frame's score changes no weight.
        self.score = nn.Linear(width, 1, bias=False) if config.pooling == "attention" else None
        self.attended = Attended()
        self.side_statistics = SideStatistics(shapes, "prosody" if config.prosody else None)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(width + self.side_statistics.num_features, num_classes)

    @classmethod
    def required_streams(cls, config: ModelConfig) -> tuple[str, ...]:
        """``mel``, and ``prosody`` if it is asked for."""
        assert isinstance(config, LstmConfig)
        return ("mel", "prosody") if config.prosody else ("mel",)

    @classmethod
    def check(
        cls, config: ModelConfig, features: Mapping[str, FeatureConfig], normalise: str
    ) -> None:
        """Refuse prosody of which no statistics can be taken."""
        del normalise
        assert isinstance(config, LstmConfig)
        SideStatistics.check(features, "prosody" if config.prosody else None)

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """As ``Model.forward``."""
        x_BTF, lengths_B = self._frames(inputs["mel"], lengths["mel"])
        h_BTC = self.lstm(self.input_dropout(x_BTF), lengths_B)
        pooled_BC = self._pool(h_BTC, lengths_B)
        features_BC = self.side_statistics(pooled_BC, inputs, lengths)
        logits_BK: Tensor = self.classifier(self.dropout(features_BC))
        return logits_BK

    def _frames(self, x_BTF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """What the recurrence reads: the frames, or the columns of the map over them."""
        if not len(self.front):
            return x_BTF, lengths_B
        h_BCFT = self.front(x_BTF.transpose(1, 2).unsqueeze(1))
        columns_B = frame_mask(lengths_B, x_BTF.shape[1], h_BCFT.shape[3]).sum(dim=1)
        return h_BCFT.flatten(1, 2).transpose(1, 2), columns_B

    def _pool(self, h_BTC: Tensor, lengths_B: Tensor) -> Tensor:
        if self.config.pooling == "last":
            # The direction from the end has read everything at the first frame.
            rows_B = torch.arange(h_BTC.shape[0], device=h_BTC.device)
            onward_BC = h_BTC[rows_B, lengths_B - 1, : self.config.hidden]
            return torch.cat([onward_BC, h_BTC[:, 0, self.config.hidden :]], dim=1)
        if self.config.pooling == "mean_std":
            return masked_mean_std(h_BTC, lengths_B)
        positions_T = torch.arange(h_BTC.shape[1], device=h_BTC.device)
        valid_BT = positions_T < lengths_B[:, None]
        scores_BT = h_BTC.new_zeros(valid_BT.shape)
        if self.score is not None:
            scores_BT = self.score(h_BTC)[:, :, 0]
        weights_BT = scores_BT.masked_fill(~valid_BT, float("-inf")).softmax(dim=1)
        if self.score is not None:
            weights_BT = self.attended(weights_BT)
        pooled_BC: Tensor = (h_BTC * weights_BT[:, :, None]).sum(dim=1)
        return pooled_BC


def _front(config: LstmConfig, num_bins: int) -> tuple[nn.Sequential, int]:
    """The convolution blocks, and the values that each of their columns holds."""
    widths = [1, *(config.conv_width * 2**i for i in range(config.conv_blocks))]
    blocks = []
    for num_in, num_out in pairwise(widths):
        # Rounded up, so that a short clip keeps a column.
        blocks.append(nn.Sequential(conv_norm(num_in, num_out, 3), nn.MaxPool2d(2, ceil_mode=True)))
        num_bins = -(-num_bins // 2)
    return nn.Sequential(*blocks), num_bins * widths[-1]
