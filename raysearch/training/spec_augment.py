"""SpecAugment and time shift, batched on the device, on normalised features.

A row's streams show the same speech, so they share one shift and the same time masks: what is
drawn are fractions, which each stream turns into its own frames. Frequency masks are a
spectrogram's own. Every draw comes from torch's default generator of the features' device. What is
masked or shifted in is 0, the mean of a normalised bin. Padding stays where and as it is.

Axes: B batch, T frames, F bins, M masks.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from raysearch.features.extractor import StreamShape
from raysearch.training.training_sections import SpecAugmentConfig

__all__ = ["band_draws", "mask_bands", "spec_augment", "time_shift"]


def spec_augment(
    inputs: Mapping[str, Tensor],
    lengths: Mapping[str, Tensor],
    config: SpecAugmentConfig,
    shapes: Mapping[str, StreamShape],
) -> dict[str, Tensor]:
    """Shift every stream in time, then mask bins and frames; new tensors of the same shapes.

    Args:
        inputs: a stream's normalised features x_BTF; the streams agree in B.
        lengths: a stream's valid frames a row, long (B,).
        config: widths as fractions of the bins and of the valid frames.
        shapes: what a stream's values are: a vector comes back as it is, a waveform is shifted
            only, bins that are not frequencies in order are not masked, and a frequency is masked
            in all of its stream's channels.
    """
    moving = [stream for stream in inputs if shapes[stream].kind != "vector"]
    num_rows = len(lengths[moving[0]]) if moving else 0
    if not num_rows:
        return dict(inputs)
    device = inputs[moving[0]].device
    augmented = dict(inputs)
    # The order of the draws: one shift, each spectrogram's frequency masks, the time masks.
    if config.time_shift > 0:
        draws_B = torch.rand(num_rows, device=device)
        for stream in moving:
            augmented[stream] = time_shift(
                inputs[stream], lengths[stream], config.time_shift, draws_B
            )
    bins = {
        stream: _masked_bins(inputs[stream], config, shapes[stream].num_channels)
        for stream in moving
        if shapes[stream].kind == "spectrogram"
    }
    draws_BM2 = band_draws(num_rows, config.time_mask_count, device)
    for stream in moving:
        if shapes[stream].kind != "waveform":
            masked_BTF = mask_bands(
                lengths[stream], inputs[stream].shape[1], config.time_mask_width, draws_BM2
            )[:, :, None]
            if stream in bins:
                masked_BTF = masked_BTF | bins[stream][:, None, :]
            augmented[stream] = augmented[stream].masked_fill(masked_BTF, 0.0)
    return augmented


def band_draws(num_rows: int, count: int, device: torch.device | None = None) -> Tensor:
    """What decides ``count`` bands of each row, (B, M, 2) in [0, 1): their widths and places."""
    return torch.rand(num_rows, count, 2, device=device)


def mask_bands(sizes_B: Tensor, axis_size: int, width: float, draws_BM2: Tensor) -> Tensor:
    """Positions under at least one of a row's bands, bool (B, axis_size).

    A band is up to ``width`` of its row's size wide, uniformly, and lies inside that size.

    Args:
        sizes_B: how much of the axis each row uses, long.
        axis_size: the axis' length, padding included.
        width: the widest band, as a fraction of the row's size.
        draws_BM2: as ``band_draws`` gives them; the same for every axis that shares its bands.
    """
    device = sizes_B.device
    sizes_B1 = sizes_B[:, None].to(draws_BM2.dtype)
    widest_B1 = (width * sizes_B1 + 1e-4).floor()
    widths_BM = (draws_BM2[..., 0] * (widest_B1 + 1)).floor().minimum(widest_B1)
    starts_BM = (draws_BM2[..., 1] * (sizes_B1 - widths_BM + 1)).floor()
    starts_BM1, ends_BM1 = starts_BM[..., None], (starts_BM + widths_BM)[..., None]
    positions = torch.arange(axis_size, device=device)
    inside = (positions >= starts_BM1) & (positions < ends_BM1) & (positions < sizes_B1[..., None])
    return inside.any(dim=1)


def time_shift(x_BTF: Tensor, lengths_B: Tensor, fraction: float, draws_B: Tensor) -> Tensor:
    """Move each row's valid frames by up to ``fraction`` of them; what opens is 0.

    Not wrapped round: that would make onsets that nobody spoke.

    Args:
        x_BTF: features.
        lengths_B: valid frames a row, long.
        fraction: of them, the largest shift either way.
        draws_B: in [0, 1): where between both ends each row's shift lies.
    """
    # In single precision a fraction just below a half would move a frame too many.
    largest_B = (lengths_B.double() * fraction).floor()
    shifts_B = (draws_B * (2 * largest_B + 1)).floor().minimum(2 * largest_B) - largest_B
    positions_T = torch.arange(x_BTF.shape[1], device=x_BTF.device)
    sources_BT = positions_T - shifts_B.long()[:, None]
    valid_BT = positions_T < lengths_B[:, None]
    spoken_BT = (sources_BT >= 0) & (sources_BT < lengths_B[:, None])
    sources_BT = torch.where(valid_BT, sources_BT.clamp(0, x_BTF.shape[1] - 1), positions_T)
    moved_BTF = x_BTF.gather(1, sources_BT[:, :, None].expand_as(x_BTF))
    return moved_BTF.masked_fill((valid_BT & ~spoken_BT)[:, :, None], 0.0)


def _masked_bins(x_BTF: Tensor, config: SpecAugmentConfig, num_channels: int) -> Tensor:
    """The bins of each row that are masked over all of its frames, bool (B, F)."""
    num_rows, num_bins = x_BTF.shape[0], x_BTF.shape[2] // num_channels
    draws_BM2 = band_draws(num_rows, config.freq_mask_count, x_BTF.device)
    bins_B = torch.full((num_rows,), num_bins, dtype=torch.long, device=x_BTF.device)
    masked_BF = mask_bands(bins_B, num_bins, config.freq_mask_width, draws_BM2)
    return masked_BF.repeat(1, num_channels)
