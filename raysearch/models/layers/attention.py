"""Attention over a feature map: squeeze-and-excitation, spatial, CBAM, coordinate attention.

Each keeps the shape of h_BCHW and squeezes over valid columns only (mask_BW).
Axes: B batch, C channels, H frequency, W time.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from raysearch.models.layers.attended import Attended
from raysearch.models.layers.blocks import BatchNorm
from raysearch.models.layers.pooling import masked_max, masked_mean

__all__ = [
    "CBAM",
    "Attention",
    "AttentionName",
    "CoordinateAttention",
    "SpatialAttention",
    "SqueezeExcitation",
    "build_attention",
]

AttentionName = Literal["none", "se", "spatial", "cbam", "coordinate"]

# Below this the gate of a narrow map starves.
MIN_HIDDEN = 8


class Attention(nn.Module):
    """No attention: the map as it is; base of the others."""

    def forward(self, h_BCHW: Tensor, mask_BW: Tensor) -> Tensor:
        """The gated map, the same shape."""
        return h_BCHW


class SqueezeExcitation(Attention):
    """One gate a channel from the global mean (arXiv 1709.01507)."""

    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        self.gate = _bottleneck_mlp(width, ratio)

    def forward(self, h_BCHW: Tensor, mask_BW: Tensor) -> Tensor:
        """The gated map, the same shape."""
        gate_BC = torch.sigmoid(self.gate(masked_mean(h_BCHW, mask_BW)))
        return h_BCHW * gate_BC[:, :, None, None]


class CBAM(Attention):
    """A channel gate from mean and maximum, then a 7x7 spatial gate (arXiv 1807.06521)."""

    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        self.channel = _bottleneck_mlp(width, ratio)
        self.spatial = nn.Conv2d(2, 1, 7, padding=3)
        self.attended = Attended()

    def forward(self, h_BCHW: Tensor, mask_BW: Tensor) -> Tensor:
        """The gated map, the same shape."""
        mean_BC, max_BC = masked_mean(h_BCHW, mask_BW), masked_max(h_BCHW, mask_BW)
        gate_BC = torch.sigmoid(self.channel(mean_BC) + self.channel(max_BC))
        h_BCHW = h_BCHW * gate_BC[:, :, None, None]
        gated_BCHW: Tensor = h_BCHW * self.attended(_spatial_gate(self.spatial, h_BCHW))
        return gated_BCHW


class SpatialAttention(Attention):
    """CBAM's 7x7 spatial gate alone."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(2, 1, 7, padding=3)
        self.attended = Attended()

    def forward(self, h_BCHW: Tensor, mask_BW: Tensor) -> Tensor:
        """The gated map, the same shape."""
        gated_BCHW: Tensor = h_BCHW * self.attended(_spatial_gate(self.spatial, h_BCHW))
        return gated_BCHW


class CoordinateAttention(Attention):
    """One gate along frequency and one along time (arXiv 2103.02907)."""

    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        hidden = max(MIN_HIDDEN, width // ratio)
        self.squeeze = nn.Conv2d(width, hidden, 1, bias=False)
        self.norm = BatchNorm(hidden)
        self.gate_H = nn.Conv2d(hidden, width, 1)
        self.gate_W = nn.Conv2d(hidden, width, 1)
        self.attended = Attended()

    def forward(self, h_BCHW: Tensor, mask_BW: Tensor) -> Tensor:
        """The gated map, the same shape."""
        mask_B11W = mask_BW[:, None, None].to(h_BCHW.dtype)
        over_time_BCH1 = (h_BCHW * mask_B11W).sum(3, keepdim=True) / mask_B11W.sum(3, keepdim=True)
        over_bins_BCW1 = h_BCHW.mean(dim=2)[..., None]
        joint = torch.cat([over_time_BCH1, over_bins_BCW1], dim=2)
        joint = functional.hardswish(self.norm(self.squeeze(joint)))
        joint_H, joint_W = torch.split(joint, [h_BCHW.shape[2], h_BCHW.shape[3]], dim=2)
        gate_BCH1 = torch.sigmoid(self.gate_H(joint_H))
        gate_BC1W = torch.sigmoid(self.gate_W(joint_W)).transpose(2, 3)
        gated_BCHW: Tensor = h_BCHW * gate_BCH1 * self.attended(gate_BC1W, gate_BCH1)
        return gated_BCHW


def build_attention(name: AttentionName, width: int, ratio: int) -> Attention:
    """The attention of that name for ``width`` channels; ``ratio`` narrows its hidden layer."""
    if name == "none":
        return Attention()
    if name == "spatial":
        return SpatialAttention()
    kinds = {"se": SqueezeExcitation, "cbam": CBAM, "coordinate": CoordinateAttention}
    return kinds[name](width, ratio)


def _spatial_gate(conv: nn.Conv2d, h_BCHW: Tensor) -> Tensor:
    """One gate a place, (B, 1, H, W), from the mean and the maximum over channels."""
    summary_B2HW = torch.stack([h_BCHW.mean(dim=1), h_BCHW.amax(dim=1)], dim=1)
    return torch.sigmoid(conv(summary_B2HW))


def _bottleneck_mlp(width: int, ratio: int) -> nn.Sequential:
    hidden = max(MIN_HIDDEN, width // ratio)
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, width))
