"""MFHCA's way from a spectrogram to a vector: multi-spatial fusion and GRF blocks.

GRF is the global receptive field (arXiv 2404.13509; details from its released code). Where the
code's kernels of even size lose a row and a column, these gain one, so that one frame is enough.

Axes: B batch, C channels, H frequency, W time, T frames, D values of the vector.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from raysearch.models.layers.attention import CoordinateAttention
from raysearch.models.layers.blocks import BasicBlock, BatchNorm, conv_norm
from raysearch.models.layers.exchange import resize
from raysearch.models.layers.mel_map import mel_map
from raysearch.models.layers.pooling import frame_mask
from raysearch.models.layers.spans import span_weights

__all__ = ["GlobalReceptiveField", "MultiSpatialFusion", "SpectralBranch"]

POOL = 16
# The vector: means over two halves of the frequencies by three thirds of the time.
HALVES, THIRDS = 2, 3


class MultiSpatialFusion(nn.Module):
    """A kernel tall in frequency beside one long in time, half of the channels each."""

    def __init__(self, width: int, num_channels: int = 1) -> None:
        super().__init__()
        sizes = (((10, 2), (5, 1)), ((2, 8), (1, 4)))
        self.paths = nn.ModuleList(
            nn.Conv2d(num_channels, width // 2, kernel, padding=padding, bias=False)
            for kernel, padding in sizes
        )
        self.norm = BatchNorm(width)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, width, H + 1, W + 1)."""
        joined_BCHW = torch.cat([path(x_BCHW) for path in self.paths], dim=1)
        return functional.relu_(self.norm(joined_BCHW))


class GlobalReceptiveField(nn.Module):
    """A residual block with coordinate attention, and with a view of the whole map beside it.

    ReLU(BN(conv(ReLU(BN(conv(attention(x)))))) + x + g(x)), where
    g(x) = x + resize(BN(dilated conv(pool(x)))).
    """

    def __init__(self, width: int, attention_ratio: int, dilation: int) -> None:
        super().__init__()
        self.attention = CoordinateAttention(width, attention_ratio)
        self.body = nn.Sequential(
            conv_norm(width, width, 3), conv_norm(width, width, 3, relu=False)
        )
        self.view = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
            BatchNorm(width),
        )

    def forward(self, h_BCHW: Tensor, mask_BW: Tensor) -> Tensor:
        """The same shape."""
        size = (h_BCHW.shape[2], h_BCHW.shape[3])
        kernel = (min(POOL, size[0]), min(POOL, size[1]))
        pooled = functional.avg_pool2d(h_BCHW, kernel, ceil_mode=True)
        seen_BCHW = resize(self.view(pooled), size)
        attended_BCHW = self.body(self.attention(h_BCHW, mask_BW))
        return functional.relu(attended_BCHW + 2 * h_BCHW + seen_BCHW)


class SpectralBranch(nn.Module):
    """Fusion, three GRF blocks of growing width, and means over six regions.

    Args:
        widths: channels of the three blocks.
        attention_ratio: how much coordinate attention narrows its hidden layer.
        dilation: of the GRF blocks' view of the whole map.
        multi_spatial: False puts one plain 3x3 convolution in the fusion's place.
        grf: False puts plain residual blocks in the GRF blocks' places.
        num_channels: the spectrogram, and its derivatives if there are any.

    Attributes:
        num_features: D.
    """

    def __init__(
        self,
        widths: Sequence[int],
        attention_ratio: int,
        dilation: int,
        *,
        multi_spatial: bool,
        grf: bool,
        num_channels: int = 1,
    ) -> None:
        super().__init__()
        self.num_features = widths[-1] * HALVES * THIRDS
        self._num_channels = num_channels
        self.fusion = (
            MultiSpatialFusion(widths[0], num_channels)
            if multi_spatial
            else conv_norm(num_channels, widths[0], 3)
        )
        self.steps = nn.ModuleList(
            conv_norm(before, after, 3) for before, after in pairwise(widths)
        )
        self.blocks = nn.ModuleList(
            GlobalReceptiveField(width, attention_ratio, dilation) if grf else _Plain(width)
            for width in widths
        )

    def forward(self, x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
        """The vector x_BD of normalised features."""
        h_BCHW = self.fusion(mel_map(x_BTF, lengths_B, self._num_channels))
        h_BCHW = functional.max_pool2d(h_BCHW, 3, stride=2, padding=1)
        mask_BW = frame_mask(lengths_B, x_BTF.shape[1], h_BCHW.shape[3])
        for block, step in zip(self.blocks, [*self.steps, nn.Identity()], strict=True):
            h_BCHW = step(block(h_BCHW, mask_BW))
        return _regions(h_BCHW, mask_BW)


class _Plain(BasicBlock):
    """A residual block where a GRF block would be."""

    def forward(self, h_BCHW: Tensor, mask_BW: Tensor) -> Tensor:  # type: ignore[override]
        """The same shape."""
        del mask_BW
        return super().forward(h_BCHW)


def _regions(h_BCHW: Tensor, mask_BW: Tensor) -> Tensor:
    """Means over halves of H and thirds of the valid W, (B, C * 6)."""
    num_bins, num_columns = h_BCHW.shape[2:]
    halves_SH = span_weights(torch.tensor([num_bins], device=h_BCHW.device), num_bins, HALVES)[0]
    thirds_BWS = span_weights(mask_BW.sum(dim=1), num_columns, THIRDS).transpose(1, 2)
    by_third_BCHS = h_BCHW @ thirds_BWS[:, None].to(h_BCHW.dtype)
    return (halves_SH.to(h_BCHW.dtype) @ by_third_BCHS).flatten(1)
