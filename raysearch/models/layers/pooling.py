"""Pooling over the valid frames only.

Convolutions see the padding (it sits at the extractor's floor, so it looks like silence, and
it reaches valid positions through their receptive fields); pooling does not count it.

Axes: B batch, C channels, H frequency, W time on the map, T time at the input.
"""

import torch
from torch import Tensor

__all__ = ["frame_mask", "masked_max", "masked_mean"]


def frame_mask(lengths_B: Tensor, num_frames: int, width: int) -> Tensor:
    """Which of a map's ``width`` columns hold any valid frame of the input.

    Args:
        lengths_B: valid input frames a row, long.
        num_frames: input frames T, padding included.
        width: columns W of the map.

    Returns:
        bool mask_BW; the first column is always valid.
    """
    columns_B = torch.div(lengths_B * width + num_frames - 1, num_frames, rounding_mode="floor")
    positions_W = torch.arange(width, device=lengths_B.device)
    return positions_W < columns_B.clamp(1, width)[:, None]


def masked_mean(h_BCHW: Tensor, mask_BW: Tensor) -> Tensor:
    """The mean over H and the valid columns, (B, C)."""
    mask_B1W = mask_BW[:, None].to(h_BCHW.dtype)
    h_BCW = h_BCHW.mean(dim=2) * mask_B1W
    return h_BCW.sum(dim=2) / mask_B1W.sum(dim=2)


def masked_max(h_BCHW: Tensor, mask_BW: Tensor) -> Tensor:
    """The maximum over H and the valid columns, (B, C)."""
    return h_BCHW.amax(dim=2).masked_fill(~mask_BW[:, None], float("-inf")).amax(dim=2)
