"""SpecAugment and time shift, batched on the device, on normalised features.

Every draw comes from torch's default generator of the features' device. What is masked or
shifted in is 0, the mean of a normalised bin. Padding stays where and as it is.

Axes: B batch, T frames, F bins, M masks.
"""

import torch
from torch import Tensor

from raysearch.features.extractor import StreamKind
from raysearch.training.config import SpecAugmentConfig

__all__ = ["mask_bands", "spec_augment", "time_shift"]


def spec_augment(
    x_BTF: Tensor,
    lengths_B: Tensor,
    config: SpecAugmentConfig,
    kind: StreamKind = "spectrogram",
    num_channels: int = 1,
) -> Tensor:
    """Shift in time, then mask bins and frames; a new tensor of the same shape.

    Args:
        x_BTF: normalised features.
        lengths_B: valid frames a row, long.
        config: widths as fractions of the bins and of the valid frames.
        kind: vectors and waveforms come back as they are; bins that are not frequencies in
            order are not masked.
        num_channels: equal blocks of the bins; a frequency is masked in all of them.
    """
    if x_BTF.shape[0] == 0 or kind in ("vector", "waveform"):
        return x_BTF
    num_frames, num_bins = x_BTF.shape[1], x_BTF.shape[2] // num_channels
    if config.time_shift > 0:
        x_BTF = time_shift(x_BTF, lengths_B, config.time_shift)
    bins_B = torch.full_like(lengths_B, num_bins)
    num_masks = config.freq_mask_count if kind == "spectrogram" else 0
    masked_BF = mask_bands(bins_B, num_bins, config.freq_mask_width, num_masks)
    masked_BF = masked_BF.repeat(1, num_channels)
    masked_BT = mask_bands(lengths_B, num_frames, config.time_mask_width, config.time_mask_count)
    return x_BTF.masked_fill(masked_BF[:, None, :] | masked_BT[:, :, None], 0.0)


def mask_bands(sizes_B: Tensor, axis_size: int, width: float, count: int) -> Tensor:
    """Positions under at least one of ``count`` bands, bool (B, axis_size).

    A band is up to ``width`` of its row's size wide, uniformly, and lies inside that size.

    Args:
        sizes_B: how much of the axis each row uses, long.
        axis_size: the axis' length, padding included.
        width: the widest band, as a fraction of the row's size.
        count: bands a row.
    """
    device = sizes_B.device
    draws_BM2 = torch.rand(sizes_B.shape[0], count, 2, device=device)
    sizes_B1 = sizes_B[:, None].to(draws_BM2.dtype)
    widest_B1 = (width * sizes_B1 + 1e-4).floor()
    widths_BM = (draws_BM2[..., 0] * (widest_B1 + 1)).floor().minimum(widest_B1)
    starts_BM = (draws_BM2[..., 1] * (sizes_B1 - widths_BM + 1)).floor()
    starts_BM1, ends_BM1 = starts_BM[..., None], (starts_BM + widths_BM)[..., None]
    positions = torch.arange(axis_size, device=device)
    inside = (positions >= starts_BM1) & (positions < ends_BM1) & (positions < sizes_B1[..., None])
    return inside.any(dim=1)


def time_shift(x_BTF: Tensor, lengths_B: Tensor, fraction: float) -> Tensor:
    """Move each row's valid frames by up to ``fraction`` of them; what opens is 0.

    Not wrapped round: that would make onsets that nobody spoke.
    """
    largest_B = (lengths_B * fraction).floor()
    draws_B = torch.rand(x_BTF.shape[0], device=x_BTF.device)
    shifts_B = (draws_B * (2 * largest_B + 1)).floor().minimum(2 * largest_B) - largest_B
    positions_T = torch.arange(x_BTF.shape[1], device=x_BTF.device)
    sources_BT = positions_T - shifts_B.long()[:, None]
    valid_BT = positions_T < lengths_B[:, None]
    spoken_BT = (sources_BT >= 0) & (sources_BT < lengths_B[:, None])
    sources_BT = torch.where(valid_BT, sources_BT.clamp(0, x_BTF.shape[1] - 1), positions_T)
    moved_BTF = x_BTF.gather(1, sources_BT[:, :, None].expand_as(x_BTF))
    return moved_BTF.masked_fill((valid_BT & ~spoken_BT)[:, :, None], 0.0)
