"""Normalisation on the device, before SpecAugment. Axes: B batch, T frames, F bins."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from raysearch.features.extractor import StreamShape
from raysearch.training.data import Batch

__all__ = ["Normaliser", "normalise_by_bin", "normalise_by_utterance"]

# A constant bin has no spread; this keeps the division finite.
EPSILON = 1e-5

# Standard deviations. Padding at the floor is far below the mean of a clip without pauses.
LIMIT = 10.0


def normalise_by_utterance(x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
    """Zero mean and unit variance a bin over each row's valid frames, clamped to +-10.

    Padding goes through the same transform, so that it keeps looking like silence.
    """
    positions_T = torch.arange(x_BTF.shape[1], device=x_BTF.device)
    mask_BT1 = (positions_T < lengths_B[:, None])[:, :, None].to(x_BTF.dtype)
    num_frames_B11 = mask_BT1.sum(dim=1, keepdim=True).clamp(min=1)
    mean_B1F = (x_BTF * mask_BT1).sum(dim=1, keepdim=True) / num_frames_B11
    centred_BTF = x_BTF - mean_B1F
    variance_B1F = (centred_BTF.square() * mask_BT1).sum(dim=1, keepdim=True) / num_frames_B11
    return centred_BTF.mul_((variance_B1F + EPSILON).rsqrt()).clamp_(-LIMIT, LIMIT)


def normalise_by_bin(x_BTF: Tensor, mean_F: Tensor, std_F: Tensor) -> Tensor:
    """A given mean and deviation of each bin, of all rows or (B, 1, F), clamped to +-10."""
    return (x_BTF - mean_F).div_(std_F + EPSILON).clamp_(-LIMIT, LIMIT)


class Normaliser:
    """Brings a batch's inputs and lengths to the device and normalises the inputs.

    Args:
        kind: statistics of each clip, of all training rows, or of each speaker's rows.
        statistics: each stream's mean and deviation, as ``TrialData.normalisation`` has them.
        shapes: the streams; a waveform is left as it is, and a vector, which has no spread of
            its own, takes the training rows' statistics where others take a clip's.
        device: where the model is.
    """

    def __init__(
        self,
        kind: Literal["utterance", "train_bin", "speaker"],
        statistics: Mapping[str, tuple[Tensor, Tensor]],
        shapes: Mapping[str, StreamShape],
        device: torch.device,
    ) -> None:
        self.kind = kind
        self._streams = {stream: shape.kind for stream, shape in shapes.items()}
        self.device = device
        self._statistics = {
            stream: (mean_F.to(device, torch.float32), std_F.to(device, torch.float32))
            for stream, (mean_F, std_F) in statistics.items()
        }

    def __call__(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Normalised x_BTF float32 and lengths (B,) of each stream."""
        inputs, lengths = {}, {}
        speakers_B = None if batch.speakers is None else batch.speakers.to(self.device)
        assert (speakers_B is not None) == (self.kind == "speaker"), "statistics of another kind"
        for stream, raw_BTF in batch.inputs.items():
            x_BTF = raw_BTF.to(self.device, torch.float32, non_blocking=True)
            lengths_B = batch.lengths[stream].to(self.device, non_blocking=True)
            if self._streams[stream] == "waveform":
                inputs[stream] = x_BTF
            elif speakers_B is not None:
                mean_SF, std_SF = self._statistics[stream]
                mean_B1F, std_B1F = mean_SF[speakers_B, None], std_SF[speakers_B, None]
                inputs[stream] = normalise_by_bin(x_BTF, mean_B1F, std_B1F)
            elif self.kind == "train_bin" or self._streams[stream] == "vector":
                inputs[stream] = normalise_by_bin(x_BTF, *self._statistics[stream])
            else:
                inputs[stream] = normalise_by_utterance(x_BTF, lengths_B)
            lengths[stream] = lengths_B
        return inputs, lengths
