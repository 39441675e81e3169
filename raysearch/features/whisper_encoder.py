"""Whisper's encoder (arXiv 2212.04356, section 2.2; github.com/openai/whisper, model.py).

Whisper was trained on clips that silence fills up to 30 s. Here only the frames that a clip
reaches into are encoded: its own spectrogram and the silence that the last frame's convolutions
see are those of the filled-up clip, and attention stays with the clip's frames. So they equal the
filled-up run's with attention kept off the silence (to 2e-5, of values up to 13). They are not
those of the plain filled-up run, in which attention reads the silence: tiny.en's last layer, on
eight clips of 2 to 3 s of German and Polish speech, differs by 23 to 33% of its norm, at a mean
cosine of 0.95 to 0.97 a frame.

Modules are named as torchaudio names those of the other encoders.
Axes: B batch, N samples, M mel bins, T frames, F values a frame, H heads, D values a head.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from raysearch.features.ssl_sizes import Layer
from raysearch.features.whisper_mel import WhisperMel
from raysearch.features.whisper_sizes import HOP, WhisperSizes

__all__ = ["WhisperNetwork"]


class WhisperNetwork(nn.Module):
    """Turns waveforms into the frames of a Whisper encoder.

    Args:
        sizes: of the whole encoder.
        depth: layers that are built.
        layer: which output is wanted.
        dropout: in attention and after each part of a layer.
    """

    positions: Tensor

    def __init__(
        self, sizes: WhisperSizes, depth: int, layer: Layer = "last", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.sizes, self.layer = sizes, layer
        width = sizes.width
        self.mel = WhisperMel(sizes.n_mels)
        self.conv1 = nn.Conv1d(sizes.n_mels, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        # Sinusoids, which the files hold; never learned.
        self.register_buffer("positions", torch.zeros(sizes.max_frames, width))
        self.layers = nn.ModuleList(_Layer(sizes, dropout) for _ in range(depth))
        # It closes the whole encoder; a single layer's output never meets it.
        self.layer_norm = nn.LayerNorm(width) if layer == "last" else nn.Identity()

    def forward(
        self, x_BN: Tensor, lengths_B: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """As ``SslEncoder.forward``; what is longer than 30 s is encoded in pieces of 30 s."""
        num_samples, step = x_BN.shape[1], self.sizes.max_frames * HOP
        pieces = []
        for start in range(0, max(1, num_samples), step):
            # A row that has ended has one sample of silence: attention needs a frame.
            left_B = None if lengths_B is None else (lengths_B - start).clamp(min=1)
            pieces.append(self._piece(x_BN[:, start : start + step], left_B))
        h_BTF = torch.cat(pieces, dim=1) if len(pieces) > 1 else pieces[0]
        if lengths_B is None:
            return h_BTF, None
        frames_B = _num_frames(lengths_B)
        return h_BTF.masked_fill(_beyond(frames_B, h_BTF.shape[1])[:, :, None], 0.0), frames_B

    def _piece(self, x_BN: Tensor, lengths_B: Tensor | None) -> Tensor:
        """Frames of at most 30 s."""
        num_frames = self.sizes.num_frames(x_BN.shape[1])
        attended_B11T = None
        if lengths_B is not None:
            x_BN = x_BN.masked_fill(_beyond(lengths_B, x_BN.shape[1]), 0.0)
            attended_B11T = ~_beyond(_num_frames(lengths_B), num_frames)[:, None, None]
        h_BTF = self._stem(x_BN, num_frames) + self.positions[:num_frames]
        outputs = []
        for layer in self.layers:
            h_BTF = layer(h_BTF, attended_B11T)
            outputs.append(h_BTF)
        if self.layer == "weighted":
            return torch.cat(outputs, dim=2)
        closed: Tensor = self.layer_norm(h_BTF)
        return closed

    def _stem(self, x_BN: Tensor, num_frames: int) -> Tensor:
        """Both convolutions, which see a mel frame of the silence after the clip."""
        x_BMT = self.mel(x_BN, min(2 * num_frames + 1, 2 * self.sizes.max_frames))
        h_BFT = functional.gelu(self.conv2(functional.gelu(self.conv1(x_BMT))))
        return h_BFT[:, :, :num_frames].transpose(1, 2)


class _Layer(nn.Module):
    """Attention and a feed-forward network, each after a norm."""

    def __init__(self, sizes: WhisperSizes, dropout: float) -> None:
        super().__init__()
        self.attention = _Attention(sizes.width, sizes.num_heads, dropout)
        self.layer_norm = nn.LayerNorm(sizes.width)
        self.feed_forward = _FeedForward(sizes.width, sizes.feed_forward)
        self.final_layer_norm = nn.LayerNorm(sizes.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, h_BTF: Tensor, attended_B11T: Tensor | None) -> Tensor:
        h_BTF = h_BTF + self.dropout(self.attention(self.layer_norm(h_BTF), attended_B11T))
        out_BTF: Tensor = h_BTF + self.dropout(self.feed_forward(self.final_layer_norm(h_BTF)))
        return out_BTF


class _Attention(nn.Module):
    def __init__(self, width: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, h_BTF: Tensor, attended_B11T: Tensor | None) -> Tensor:
        q_BHTD, k_BHTD, v_BHTD = (
            projection(h_BTF).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed_BHTD = functional.scaled_dot_product_attention(
            q_BHTD,
            k_BHTD,
            v_BHTD,
            attn_mask=attended_B11T,
            dropout_p=self.dropout if self.training else 0.0,
        )
        out_BTF: Tensor = self.out_proj(mixed_BHTD.transpose(1, 2).flatten(2))
        return out_BTF


class _FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(width, hidden)
        self.output_dense = nn.Linear(hidden, width)

    def forward(self, h_BTF: Tensor) -> Tensor:
        out_BTF: Tensor = self.output_dense(functional.gelu(self.intermediate_dense(h_BTF)))
        return out_BTF


def _num_frames(lengths_B: Tensor) -> Tensor:
    """``WhisperSizes.num_frames`` of each row."""
    return torch.div(lengths_B + HOP - 1, HOP, rounding_mode="floor").clamp(min=1)


def _beyond(lengths_B: Tensor, size: int) -> Tensor:
    """Positions after each row's valid ones, bool (B, size)."""
    return torch.arange(size, device=lengths_B.device) >= lengths_B[:, None]
