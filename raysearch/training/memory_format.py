"""In which order a network's maps lie in memory: channels last, or torch's own order."""

import torch
from torch import nn

__all__ = ["memory_format"]

# Channels last, batch normalisation on a CPU is slow where the number of channels is no multiple of
# eight. Below 16 channels that costs more than the convolutions gain.
VECTOR, NARROW = 8, 16


def memory_format(
    model: nn.Module, channels_last: bool, device: torch.device
) -> torch.memory_format:
    """Choose the order in which the network's maps are stored.

    On one thread of a CPU with AVX2, forward and backward of a 3 x 3 convolution, batch
    normalisation and ReLU take 1.7 times as long channels last where there are 4 channels, 1.2
    times where there are 12, and as long or less where there are 8, or 16 and more
    (``results/reference/memory_formats.md``).

    Args:
        model: the network.
        channels_last: what the settings ask for.
        device: where the network lives.

    Returns:
        ``torch.channels_last`` if it is asked for, except on a CPU for a network that normalises
        maps of few channels whose number no vector holds; else ``torch.contiguous_format``.
    """
    narrow = device.type == "cpu" and any(
        isinstance(module, nn.BatchNorm2d)
        and module.num_features < NARROW
        and module.num_features % VECTOR
        for module in model.modules()
    )
    return torch.channels_last if channels_last and not narrow else torch.contiguous_format
