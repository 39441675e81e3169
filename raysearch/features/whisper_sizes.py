"""The sizes of a Whisper encoder (arXiv 2212.04356), tiny to large-v3. Nothing here needs torch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from raysearch.config.base import Config

__all__ = ["HOP", "WhisperSizes"]

# Samples between frames: 10 ms of mel frames, halved by the second convolution.
HOP = 320


class WhisperSizes(Config):
    """What must be known to rebuild the encoder that a file of weights belongs to."""

    family: Literal["whisper"] = Field("whisper", description="Whisper's encoder")
    n_mels: int = Field(ge=8, le=256, description="mel bins: 80, or 128 from large-v3 on")
    width: int = Field(ge=2, le=8192, description="values a frame")
    num_layers: int = Field(ge=1, le=96, description="transformer layers")
    num_heads: int = Field(ge=1, le=128, description="attention heads")
    feed_forward: int = Field(ge=1, le=65536, description="hidden width of a layer")
    max_frames: int = Field(
        1500, ge=1, le=65536, description="frames that it has positions for: 30 s"
    )

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.width % self.num_heads:
            raise ValueError(f"width {self.width} is no multiple of num_heads")
        return self

    @property
    def hop(self) -> int:
        """Samples between frames."""
        return HOP

    @property
    def receptive(self) -> int:
        """Samples that one frame stands for; those around it are silence at a clip's ends."""
        return HOP

    def num_frames(self, num_samples: int) -> int:
        """Frames that a waveform reaches into, one at least."""
        return max(1, -(-num_samples // HOP))
