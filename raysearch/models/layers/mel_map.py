"""A stream of mel frames as a map. Axes: B batch, T frames, F bins, C channels, H mel bins."""

import torch
from torch import Tensor

__all__ = ["mel_map"]


def mel_map(x_BTF: Tensor, lengths_B: Tensor, num_channels: int) -> Tensor:
    """The spectrogram and its derivatives as channels, (B, C, H, T).

    Padding sits at the spectrogram's floor. In a derivative's channel it becomes 0: silence does
    not change.

    Args:
        x_BTF: normalised frames, the channels' bins side by side.
        lengths_B: valid frames a row, long.
        num_channels: C.
    """
    if num_channels == 1:
        return x_BTF.transpose(1, 2).unsqueeze(1)
    x_BCHT = x_BTF.reshape(*x_BTF.shape[:2], num_channels, -1).permute(0, 2, 3, 1)
    positions_T = torch.arange(x_BTF.shape[1], device=x_BTF.device)
    padding_BT = positions_T >= lengths_B[:, None]
    derived_BCHT = x_BCHT[:, 1:].masked_fill(padding_BT[:, None, None], 0.0)
    return torch.cat([x_BCHT[:, :1], derived_BCHT], dim=1)
