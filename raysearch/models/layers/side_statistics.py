"""Statistics of a second stream beside pooled features.

What SpecAugment masks or shifts in is 0 in every bin, which no normalised frame is. Counted as
frames, zeros would pull each statistic to the corpus' mean, and only in training; so they are
padding, like the frames beyond a row's length.

Axes: B batch, T frames, F bins.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from raysearch.features.extractor import FeatureConfig, StreamShape
from raysearch.features.prosody import ProsodyConfig

__all__ = ["SideStatistics", "check_statistics", "masked_mean_std"]

# Keeps the root's gradient finite where a bin does not vary.
EPSILON = 1e-5


class SideStatistics(nn.Module):
    """A stream's functionals, or mean and deviation of its frames, beside pooled features.

    Args:
        shapes: all streams.
        stream: which one, or None: then nothing is appended.

    Attributes:
        num_features: how many are appended.
    """

    def __init__(self, shapes: Mapping[str, StreamShape], stream: str | None) -> None:
        super().__init__()
        self._stream = stream
        self._vector = stream is not None and shapes[stream].kind == "vector"
        self.num_features = shapes[stream].num_bins * (1 if self._vector else 2) if stream else 0

    @staticmethod
    def check(features: Mapping[str, FeatureConfig], stream: str | None) -> None:
        """Refuse settings of ``stream`` that statistics cannot be taken of; raises ValueError."""
        if stream is not None:
            check_statistics(stream, features[stream])

    def forward(
        self, pooled_BC: Tensor, inputs: Mapping[str, Tensor], lengths: Mapping[str, Tensor]
    ) -> Tensor:
        """(B, C + num_features)."""
        if self._stream is None:
            return pooled_BC
        if self._vector:
            return torch.cat([pooled_BC, inputs[self._stream][:, 0]], dim=1)
        x_BTF = inputs[self._stream]
        valid_BT = _valid(x_BTF, lengths[self._stream]) & (x_BTF != 0).any(dim=2)
        statistics_BF = _mean_std(x_BTF, valid_BT)
        return torch.cat([pooled_BC, statistics_BF], dim=1)


def check_statistics(stream: str, config: FeatureConfig) -> None:
    """Refuse frames of which a mean would be wrong.

    Args:
        stream: the name under ``features``.
        config: its settings.

    Raises:
        ValueError: prosody's curves, in which an unvoiced frame has a pitch of 0.
    """
    if isinstance(config, ProsodyConfig) and config.per == "frame":
        raise ValueError(
            f"features.{stream}.per is 'frame', whose statistics count unvoiced frames as 100 Hz:"
            " set it to utterance"
        )


def masked_mean_std(x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
    """Mean, then deviation, of each bin over the valid frames, (B, 2F)."""
    return _mean_std(x_BTF, _valid(x_BTF, lengths_B))


def _valid(x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
    positions_T = torch.arange(x_BTF.shape[1], device=x_BTF.device)
    return positions_T < lengths_B[:, None]


def _mean_std(x_BTF: Tensor, valid_BT: Tensor) -> Tensor:
    mask_BT1 = valid_BT[:, :, None].to(x_BTF.dtype)
    num_frames_B1 = mask_BT1.sum(dim=1).clamp(min=1)
    mean_BF = (x_BTF * mask_BT1).sum(dim=1) / num_frames_B1
    spread_BTF = (x_BTF - mean_BF[:, None]).square() * mask_BT1
    deviation_BF = (spread_BTF.sum(dim=1) / num_frames_B1 + EPSILON).sqrt()
    return torch.cat([mean_BF, deviation_BF], dim=1)
