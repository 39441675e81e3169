"""A frozen pretrained encoder's frames, computed by torch.

Apart from its settings, which are read in processes that must start without torch. Axis letters:
N samples, T frames, F bins.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.backends import cudnn

from raysearch.features.ssl_encoder import SslEncoder
from raysearch.features.ssl_sizes import SAMPLE_RATE, EncoderPlan

__all__ = ["SslFrames"]

# Attention's memory grows with the square of the length: longer audio is encoded in pieces.
PIECE_S = 30


class SslFrames:
    """The encoder of ``plan`` with ``weights``, on ``device``."""

    def __init__(self, plan: EncoderPlan, weights: Mapping[str, Tensor], device: str) -> None:
        self._sizes, self._num_layers, self._device = plan.sizes, plan.num_outputs, device
        encoder = SslEncoder(plan).eval().requires_grad_(False)
        encoder.load(weights)
        self._encoder = encoder.to(device)

    def __call__(self, waveform_N: np.ndarray, *, pooled: bool) -> np.ndarray:
        """Frames (T, F), or their statistics (1, 2F) if ``pooled``."""
        with torch.inference_mode(), _full_precision():
            x_TF = self._one(torch.tensor(waveform_N, dtype=torch.float32, device=self._device))
        found = _statistics(x_TF, self._num_layers) if pooled else x_TF
        values: np.ndarray = found.cpu().numpy()
        return values

    def _one(self, x_N: Tensor) -> Tensor:
        """Frames (T, F); pieces overlap so that no frame is lost between them."""
        sizes = self._sizes
        step = PIECE_S * SAMPLE_RATE // sizes.hop * sizes.hop
        total = sizes.num_frames(len(x_N)) * sizes.hop
        pieces = [
            self._encoder(x_N[None, start : start + step + sizes.receptive - sizes.hop])[0][0]
            for start in range(0, total, step)
        ]
        return torch.cat(pieces)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Convolutions in float32: features are stored, and a GPU's are to be those of a CPU.

    By default cuDNN takes TF32, with 10 bits of each factor: Whisper's frames then differ by 9e-4
    of the largest, where half precision, in which they are stored, rounds by 4e-4.
    """
    before, cudnn.allow_tf32 = cudnn.allow_tf32, False
    try:
        yield
    finally:
        cudnn.allow_tf32 = before


def _statistics(x_TF: Tensor, num_layers: int) -> Tensor:
    """Mean and deviation over time of each layer's values, (1, 2F)."""
    x_TLW = x_TF.reshape(len(x_TF), num_layers, -1)
    parts_L2W = torch.stack([x_TLW.mean(dim=0), x_TLW.std(dim=0, correction=0)], dim=1)
    return parts_L2W.reshape(1, -1)
