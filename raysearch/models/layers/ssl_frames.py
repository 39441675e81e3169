"""The frames of an SSL stream: stored ones, or those of an encoder that the model tunes.

Axes: B batch, T frames, F values a frame, N samples.
"""

import math
from typing import Literal

from torch import Tensor, nn
from torch.func import functional_call

from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.features.ssl import SslConfig
from raysearch.features.ssl_encoder import SslEncoder
from raysearch.features.ssl_sizes import EncoderPlan
from raysearch.features.ssl_weights import load_weights
from raysearch.models.layers.cooperative import LayerMixture
from raysearch.models.layers.low_rank import LowRankUpdates

__all__ = ["SslFrames", "TunedPart", "layer_at"]

TunedPart = Literal["last_n", "lora", "all"]


def layer_at(depth: float, num_layers: int) -> int:
    """The layer, counted from 1, that lies at ``depth``, a share of all ``num_layers``."""
    return max(1, math.ceil(depth * num_layers - 1e-6))


class SslFrames(nn.Module):
    """From a stream to frames; of several layers one is read, or a learned mixture.

    Args:
        shape: of the stream; a waveform brings its encoder's sizes.
        dropout: inside an encoder that is tuned.
        depth: of several layers, which one is read, as ``layer_at`` counts; ``all``: each, side by
            side; None: a mixture.
        tune: which part of that encoder learns: its last layers, low-rank updates of its
            attention, or all of it.
        last_n: how many layers, of which only those that are run count.
        lora_rank: rank of the updates.
        lora_alpha: their scale, times the rank.

    Attributes:
        encoder: None if the stream holds frames.
        num_bins: F of the layer, the mixture or all layers.
        num_blocks: equal blocks that the bins fall into, one a layer.
        num_frames: T of a clip.
    """

    def __init__(
        self,
        shape: StreamShape,
        dropout: float,
        *,
        depth: float | Literal["all"] | None = None,
        tune: TunedPart = "all",
        last_n: int = 1,
        lora_rank: int = 8,
        lora_alpha: float = 16.0,
    ) -> None:
        super().__init__()
        self.encoder: SslEncoder | None = None
        self.updates: LowRankUpdates | None = None
        self.num_bins, self.num_frames = shape.num_bins // shape.num_layers, shape.num_frames
        if shape.kind == "waveform":
            plan = EncoderPlan.model_validate_json(shape.encoder)
            self.encoder = SslEncoder(plan, dropout)
            self.num_bins = plan.sizes.width
            self.num_frames = plan.sizes.num_frames(shape.num_frames)
            if tune == "lora":
                self.updates = LowRankUpdates(self.encoder, lora_rank, lora_alpha)
            if tune != "all":
                self.encoder.requires_grad_(False)
            if tune == "last_n":
                self.encoder.layers[-last_n:].requires_grad_(True)
        self._num_layers = shape.num_layers
        self.num_blocks = shape.num_layers if depth == "all" else 1
        self.num_bins *= self.num_blocks
        self._layer: int | None = None
        if depth is not None and depth != "all":
            self._layer = layer_at(depth, shape.num_layers) - 1
        self.mixture = LayerMixture(shape.num_layers if depth is None else 1)

    def forward(self, x_BTF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Frames and how many of them are valid, long (B,), of frames or of a waveform x_BN1."""
        if self.encoder is None:
            return self._one_layer(x_BTF), lengths_B
        weights = {} if self.updates is None else self.updates.updated(self.encoder)
        arguments = (x_BTF[:, :, 0], lengths_B)
        encoded_BTF, frames_B = functional_call(self.encoder, weights, arguments)
        return self._one_layer(encoded_BTF), frames_B

    def _one_layer(self, x_BTF: Tensor) -> Tensor:
        if self._layer is not None:
            x_BTLF = x_BTF.reshape(*x_BTF.shape[:2], self._num_layers, -1)
            x_BTF = x_BTLF[:, :, self._layer]
        if self.num_blocks > 1:
            return x_BTF
        mixed_BTF: Tensor = self.mixture(x_BTF)
        return mixed_BTF

    def load_pretrained(self, stream: FeatureConfig) -> None:
        """The encoder's weights, if there is one to be tuned."""
        if self.encoder is not None:
            assert isinstance(stream, SslConfig)
            self.encoder.load(load_weights(stream.path))

    def tuned_parameters(self) -> list[nn.Parameter]:
        """What learns of the encoder, its updates included; the mixture is not part of it."""
        parts = [part for part in (self.encoder, self.updates) if part is not None]
        return [p for part in parts for p in part.parameters() if p.requires_grad]
