"""A recurrent network over the frames of the mel-spectrogram, a baseline.

One of the baselines of "Amplifying Emotional Signals" (arXiv 2509.00077), which gives no sizes:
they are fields. LSTM (Hochreiter and Schmidhuber 1997), then the last state, the mean over frames
or attention over frames (as in Mirsamadi et al. 2017, ICASSP), then one linear layer.

Axes: B batch, T frames, F mel bins, C channels, K emotions.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.models.base import Model, ModelConfig
from raysearch.models.layers.beside import Beside
from raysearch.models.layers.recurrent import MaskedLstm

__all__ = ["Lstm", "LstmConfig"]


class LstmConfig(ModelConfig):
    """The network's sizes."""

    name: str = Field("lstm", description="which architecture this is")
    hidden: int = Field(128, ge=8, le=1024, description="state of one direction")
    layers: int = Field(1, ge=1, le=4, description="recurrent layers")
    bidirectional: bool = Field(True, description="a second direction, from the end")
    pooling: Literal["last", "mean", "attention"] = Field(
        "attention", description="from frames to the utterance"
    )
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout between layers and at the end")
    prosody: bool = Field(False, description="statistics of the prosody stream beside the state")


class Lstm(Model):
    """The network; padding is never read.

    Args:
        config: sizes.
        shapes: must hold ``mel``, and ``prosody`` if it is asked for.
        num_classes: emotions (K).
    """

    Config: ClassVar[type[ModelConfig]] = LstmConfig
    config: LstmConfig
    streams: ClassVar[tuple[str, ...]] = ("mel",)
    stream_fields: ClassVar[tuple[str, ...]] = ("prosody",)

    def __init__(
        self, config: LstmConfig, shapes: Mapping[str, StreamShape], num_classes: int
    ) -> None:
        super().__init__(config, shapes, num_classes)
        self.lstm = MaskedLstm(
            shapes["mel"].num_bins,
            config.hidden,
            layers=config.layers,
            bidirectional=config.bidirectional,
            dropout=config.dropout,
        )
        width = self.lstm.num_states
        # No bias: a constant added to every frame's score changes no weight.
        self.score = nn.Linear(width, 1, bias=False) if config.pooling == "attention" else None
        self.beside = Beside(shapes, "prosody" if config.prosody else None)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(width + self.beside.num_features, num_classes)

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
        Beside.check(features, "prosody" if config.prosody else None)

    def forward(self, inputs: dict[str, Tensor], lengths: dict[str, Tensor]) -> Tensor:
        """As ``Model.forward``."""
        lengths_B = lengths["mel"]
        pooled_BC = self._pool(self.lstm(inputs["mel"], lengths_B), lengths_B)
        features_BC = self.beside(pooled_BC, inputs, lengths)
        logits_BK: Tensor = self.classifier(self.dropout(features_BC))
        return logits_BK

    def _pool(self, h_BTC: Tensor, lengths_B: Tensor) -> Tensor:
        if self.config.pooling == "last":
            # The direction from the end has read everything at the first frame.
            rows_B = torch.arange(len(h_BTC), device=h_BTC.device)
            onward_BC = h_BTC[rows_B, lengths_B - 1, : self.config.hidden]
            return torch.cat([onward_BC, h_BTC[:, 0, self.config.hidden :]], dim=1)
        positions_T = torch.arange(h_BTC.shape[1], device=h_BTC.device)
        valid_BT = positions_T < lengths_B[:, None]
        scores_BT = h_BTC.new_zeros(valid_BT.shape)
        if self.score is not None:
            scores_BT = self.score(h_BTC)[:, :, 0]
        weights_BT = scores_BT.masked_fill(~valid_BT, float("-inf")).softmax(dim=1)
        pooled_BC: Tensor = (h_BTC * weights_BT[:, :, None]).sum(dim=1)
        return pooled_BC
