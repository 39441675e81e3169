"""Whisper's log-mel spectrogram (arXiv 2212.04356, section 2.2; openai/whisper, audio.py).

Axes: B batch, N samples, K frequency bins, M mel bins, T mel frames.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from raysearch.features.compiled_librosa import load_librosa

__all__ = ["WhisperMel"]

SAMPLE_RATE = 16_000
N_FFT, HOP = 400, 160
POWER_FLOOR = 1e-10
DECADES = 8.0  # below the loudest value; softer ones are raised to it


class WhisperMel(nn.Module):
    """Frame t is centred on sample 160 t; silence follows the waveform.

    Args:
        n_mels: mel bins, 80 or 128.
    """

    window_N: Tensor
    filters_MK: Tensor

    def __init__(self, n_mels: int) -> None:
        super().__init__()
        self.register_buffer("window_N", torch.hann_window(N_FFT), persistent=False)
        self.register_buffer("filters_MK", _filters(n_mels), persistent=False)

    def forward(self, x_BN: Tensor, num_frames: int) -> Tensor:
        """The first ``num_frames`` frames, x_BMT, float32.

        A row's loudest value is looked for in all that its waveform reaches into, as if 30 s of
        silence followed; so neither more silence nor the other rows change it.
        """
        # One frame more: the last that can overlap the end of the waveform.
        missing = num_frames * HOP + N_FFT // 2 - x_BN.shape[1]
        with torch.autocast(x_BN.device.type, enabled=False):
            x_BN = functional.pad(x_BN.float(), (0, max(0, missing)))
            x_BN = functional.pad(x_BN, (N_FFT // 2, 0), mode="reflect")
            spectrum_BKT = torch.stft(
                x_BN, N_FFT, HOP, window=self.window_N, center=False, return_complex=True
            )
            power_BMT = self.filters_MK @ spectrum_BKT.abs().square()
            log_BMT = power_BMT.clamp(min=POWER_FLOOR).log10()
            log_BMT = torch.maximum(log_BMT, log_BMT.amax(dim=(1, 2), keepdim=True) - DECADES)
            return (log_BMT[:, :, :num_frames] + 4.0) / 4.0


def _filters(n_mels: int) -> Tensor:
    """Triangles of Slaney's scale and area, (M, K)."""
    filters = load_librosa().filters
    return torch.from_numpy(filters.mel(sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=n_mels))
