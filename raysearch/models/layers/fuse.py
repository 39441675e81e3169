"""From all resolutions to one map at the highest: HRNetV2's head with a residual.

Axes: B batch, C channels, H frequency, W time; D the widths of all branches together.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from raysearch.models.layers.blocks import BatchNorm
from raysearch.models.layers.exchange import resize

__all__ = ["FuseLayer"]


class FuseLayer(nn.Module):
    """Upsample, concatenate, 1x1 convolution and batch norm, plus the concatenation, ReLU.

    The 1x1 convolution of a concatenation is the sum of one 1x1 convolution a branch, and a
    1x1 convolution commutes with nearest upsampling. So each branch is convolved at its own
    resolution and upsampled afterwards, one step at a time from the lowest, so that sums and
    copies are made while maps are small: the same function at a fraction of the cost.

    Args:
        widths: of the branches.
        residual: whether the concatenation is added.
    """

    def __init__(self, widths: Sequence[int], *, residual: bool = True) -> None:
        super().__init__()
        self.width, self.residual = sum(widths), residual
        self.mix = nn.ModuleList(nn.Conv2d(w, self.width, 1, bias=False) for w in widths)
        self.norm = BatchNorm(self.width)

    def forward(self, branches: list[Tensor]) -> Tensor:
        """(B, D, H, W) at the first branch's resolution."""
        lowest, *higher = reversed(list(zip(self.mix, branches, strict=True)))
        residual, total = lowest[1], lowest[0](lowest[1])
        for mix, h in higher:
            size = (h.shape[2], h.shape[3])
            total = resize(total, size) + mix(h)
            if self.residual:
                residual = torch.cat([h, resize(residual, size)], dim=1)
        fused = self.norm(total)
        return functional.relu_(fused.add_(residual) if self.residual else fused)
