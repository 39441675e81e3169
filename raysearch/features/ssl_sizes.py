"""The sizes of a HuBERT, wav2vec2 or WavLM encoder, and which layer of any encoder is wanted.

All three share one shape: strided convolutions over the waveform, a projection, a convolution
that marks positions, and a transformer. Whisper's sizes are its own. Plain data: nothing here
needs torch.
"""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from raysearch.config.base import Config
from raysearch.features.whisper_sizes import WhisperSizes

__all__ = ["HUBERT_BASE", "SAMPLE_RATE", "EncoderPlan", "EncoderSizes", "Layer"]

SAMPLE_RATE = 16_000

Conv = tuple[
    Annotated[int, Field(ge=1, le=4096)],
    Annotated[int, Field(ge=1, le=256)],
    Annotated[int, Field(ge=1, le=256)],
]
Layer = Literal["last", "weighted"] | Annotated[int, Field(ge=1, le=96)]
"""``last``: the encoder's output; a number: that layer's; ``weighted``: all layers' in the bins."""


class EncoderSizes(Config):
    """What must be known to rebuild the network that a file of weights belongs to."""

    family: Literal["wav2vec2", "wavlm"] = Field(
        "wav2vec2", description="HuBERT is built as wav2vec2; WavLM's attention knows distances"
    )
    conv: tuple[Conv, ...] = Field(
        min_length=1, max_length=16, description="width, kernel and stride of each convolution"
    )
    conv_norm: Literal["group_norm", "layer_norm"] = Field(
        description="norm of the first convolution only, or of each"
    )
    conv_bias: bool = Field(description="whether the convolutions have biases")
    width: int = Field(ge=2, le=8192, description="values a frame")
    num_layers: int = Field(ge=1, le=96, description="transformer layers")
    num_heads: int = Field(ge=1, le=128, description="attention heads")
    feed_forward: int = Field(ge=1, le=65536, description="hidden width of a layer")
    pos_kernel: int = Field(ge=1, le=1024, description="kernel of the positional convolution")
    pos_groups: int = Field(ge=1, le=1024, description="groups of the positional convolution")
    norm_first: bool = Field(description="norm before attention (large models) or after (base)")
    num_buckets: int = Field(320, ge=4, le=4096, description="WavLM: distances told apart")
    max_distance: int = Field(800, ge=4, le=65536, description="WavLM: largest distance, frames")

    @model_validator(mode="after")
    def _divides(self) -> Self:
        for name in ("num_heads", "pos_groups"):
            if self.width % getattr(self, name):
                raise ValueError(f"width {self.width} is no multiple of {name}")
        return self

    @property
    def normalise(self) -> bool:
        """Whether the waveform is brought to mean 0 and deviation 1.

        torchaudio's bundles do so for ``layer_norm``; ``group_norm`` takes out scale itself.
        """
        return self.conv_norm == "layer_norm"

    @property
    def hop(self) -> int:
        """Samples between frames."""
        return math.prod(stride for _, _, stride in self.conv)

    @property
    def receptive(self) -> int:
        """Samples that one frame needs."""
        span = 1
        for _, kernel, stride in reversed(self.conv):
            span = (span - 1) * stride + kernel
        return span

    def num_frames(self, num_samples: int) -> int:
        """Frames of a waveform, which is padded if it is too short for one."""
        return (max(num_samples, self.receptive) - self.receptive) // self.hop + 1


class EncoderPlan(Config):
    """An encoder and the layer that is read from it; what a waveform's stream tells a model."""

    sizes: EncoderSizes | WhisperSizes = Field(description="the encoder", discriminator="family")
    layer: Layer = Field("last", description="which output; a shallower encoder gives its last")

    @property
    def depth(self) -> int:
        """Transformer layers that are run."""
        whole = self.sizes.num_layers
        return min(self.layer, whole) if isinstance(self.layer, int) else whole

    @property
    def num_outputs(self) -> int:
        """Layers whose outputs lie side by side in the bins."""
        return self.sizes.num_layers if self.layer == "weighted" else 1

    @property
    def num_bins(self) -> int:
        """F, values a frame."""
        return self.sizes.width * self.num_outputs


HUBERT_BASE = EncoderSizes(
    conv=((512, 10, 5), *[(512, 3, 2)] * 4, *[(512, 2, 2)] * 2),
    conv_norm="group_norm",
    conv_bias=False,
    width=768,
    num_layers=12,
    num_heads=12,
    feed_forward=3072,
    pos_kernel=128,
    pos_groups=16,
    norm_first=False,
)
"""hubert-base-ls960 (arXiv 2106.07447), as which lacking weights are counted."""
