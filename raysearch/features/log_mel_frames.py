"""Log-mel frames, computed by torch.

Apart from their settings, which are read in processes that must start without torch. Axis letters:
N samples, T frames, W window samples, K frequency bins, F mel bins.
"""

import numpy as np
import torch
from torchaudio.functional import melscale_fbanks

from raysearch.features.log_mel import POWER_FLOOR, LogMelConfig

__all__ = ["MelFrames"]


class MelFrames:
    """Frames of single waveforms, under ``config``."""

    def __init__(self, config: LogMelConfig) -> None:
        self.config = config
        self._window_W = torch.hann_window(config.window_samples)
        self._filters_KF = melscale_fbanks(
            n_freqs=config.n_fft // 2 + 1,
            f_min=config.f_min,
            f_max=config.high_hz,
            n_mels=config.n_mels,
            sample_rate=config.sample_rate,
            norm="slaney",
            mel_scale="slaney",
        )

    @torch.inference_mode()
    def __call__(self, waveform_N: np.ndarray) -> np.ndarray:
        """Natural log of mel power, float32 (T, F)."""
        x_N = torch.tensor(waveform_N, dtype=torch.float32)
        missing = self.config.window_samples - x_N.shape[0]
        if self.config.pre_emphasis:
            before_N = torch.nn.functional.pad(x_N[:-1], (1, 0))
            x_N = x_N - self.config.pre_emphasis * before_N
        if missing > 0:
            x_N = torch.nn.functional.pad(x_N, (0, missing))
        frames_TW = x_N.unfold(0, self.config.window_samples, self.config.hop_samples)
        spectrum_TK = torch.fft.rfft(frames_TW * self._window_W, n=self.config.n_fft)
        real_TK, imag_TK = spectrum_TK.real, spectrum_TK.imag
        # abs() would take a root, which is squared at once: a third of all the time.
        power_TF = torch.addcmul(real_TK.square(), imag_TK, imag_TK) @ self._filters_KF
        x_TF: np.ndarray = power_TF.clamp(min=POWER_FLOOR).log().numpy()
        return x_TF
