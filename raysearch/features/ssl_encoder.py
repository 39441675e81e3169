"""HuBERT, wav2vec2 and WavLM (arXiv 2106.07447, 2006.11477, 2110.13900) as torchaudio builds them.

The forward pass is written out here so that padding changes nothing: torchaudio lets it into the
first group norm and, for WavLM, into attention. Layer dropping is off: each layer learns in each
step, which training over several processes expects. Whisper is ``whisper_encoder``'s.

Axes: B batch, N samples, T frames, C channels, F values a frame.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchaudio.models import Wav2Vec2Model, wav2vec2_model, wavlm_model

from raysearch.features.ssl_sizes import EncoderPlan, EncoderSizes
from raysearch.features.whisper_encoder import WhisperNetwork
from raysearch.features.whisper_sizes import WhisperSizes

__all__ = ["SslEncoder", "expected_shapes"]

EPSILON = 1e-5


class SslEncoder(nn.Module):
    """Turns waveforms into the frames of a self-supervised encoder.

    Args:
        plan: the encoder's sizes and the layer that is wanted; layers above it are not built.
        dropout: in the projection, in attention and after each part of a layer.
    """

    def __init__(self, plan: EncoderPlan, dropout: float = 0.0) -> None:
        super().__init__()
        self.plan = plan
        self.network: Any = _build(plan, dropout)

    @property
    def layers(self) -> nn.ModuleList:
        """The transformer's layers, the first at the bottom."""
        whisper = isinstance(self.plan.sizes, WhisperSizes)
        layers: nn.ModuleList = self.network.layers if whisper else self._transformer.layers
        return layers

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Copy those of a whole encoder's tensors that this part of it has."""
        own = self.network.state_dict()
        self.network.load_state_dict({name: tensors[name] for name in own})

    def forward(
        self, x_BN: Tensor, lengths_B: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Frames of a batch; a row's do not depend on the other rows, nor on its padding.

        Args:
            x_BN: waveforms at 16 kHz; fewer samples than a frame needs are padded with zeros.
            lengths_B: valid samples a row, long; None: all.

        Returns:
            x_BTF, zero beyond a row's frames, and the valid frames, long (B,), or None.
        """
        sizes = self.plan.sizes
        if isinstance(sizes, WhisperSizes):
            found: tuple[Tensor, Tensor | None] = self.network(x_BN, lengths_B)
            return found
        if lengths_B is not None:
            x_BN = x_BN.masked_fill(_beyond(lengths_B, x_BN.shape[1]), 0.0)
        if sizes.normalise:
            x_BN = _standardise(x_BN[:, None], lengths_B)[:, 0]
        x_BN = functional.pad(x_BN, (0, max(0, sizes.receptive - x_BN.shape[1])))
        if lengths_B is not None:
            lengths_B = lengths_B.clamp(min=sizes.receptive)
        h_BCT, lengths_B = self._convolve(x_BN[:, None], lengths_B, sizes)
        h_BTF = self.network.encoder.feature_projection(h_BCT.transpose(1, 2))
        if lengths_B is None:
            return self._transform(h_BTF, None, sizes), None
        padding_BT = _beyond(lengths_B, h_BTF.shape[1])
        h_BTF = self._transform(h_BTF.masked_fill(padding_BT[:, :, None], 0.0), padding_BT, sizes)
        return h_BTF.masked_fill(padding_BT[:, :, None], 0.0), lengths_B

    @property
    def _transformer(self) -> Any:
        return self.network.encoder.transformer

    def _convolve(
        self, h_BCT: Tensor, lengths_B: Tensor | None, sizes: EncoderSizes
    ) -> tuple[Tensor, Tensor | None]:
        blocks = self.network.feature_extractor.conv_layers
        for block, (_, kernel, stride) in zip(blocks, sizes.conv, strict=True):
            h_BCT = block.conv(h_BCT)
            if lengths_B is not None:
                lengths_B = torch.div(lengths_B - kernel, stride, rounding_mode="floor") + 1
            norm = block.layer_norm
            if isinstance(norm, nn.GroupNorm):
                h_BCT = _standardise(h_BCT, lengths_B)
                h_BCT = h_BCT * norm.weight[:, None] + norm.bias[:, None]
            elif norm is not None:
                h_BCT = norm(h_BCT)
            h_BCT = functional.gelu(h_BCT)
        return h_BCT, lengths_B

    def _transform(self, h_BTF: Tensor, padding_BT: Tensor | None, sizes: EncoderSizes) -> Tensor:
        """The wanted layer's output; of several, side by side."""
        transformer = self._transformer
        first = not sizes.norm_first
        h_BTF = h_BTF + transformer.pos_conv_embed(h_BTF)
        h_BTF = transformer.dropout(transformer.layer_norm(h_BTF) if first else h_BTF)
        masks = _masks(padding_BT, sizes.family)
        outputs, bias = [], None
        for layer in transformer.layers:
            h_BTF, bias = layer(h_BTF, position_bias=bias, **masks)
            outputs.append(h_BTF)
        if self.plan.layer == "weighted":
            return torch.cat(outputs, dim=2)
        closed: Tensor = h_BTF if first else transformer.layer_norm(h_BTF)
        return closed


def expected_shapes(sizes: EncoderSizes | WhisperSizes) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor of a whole encoder."""
    with torch.device("meta"):
        network = _build(EncoderPlan(sizes=sizes), 0.0)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _build(plan: EncoderPlan, dropout: float) -> Any:
    if isinstance(plan.sizes, WhisperSizes):
        return WhisperNetwork(plan.sizes, plan.depth, plan.layer, dropout)
    network = _wav2vec2(plan.sizes, plan.depth, dropout)
    if plan.sizes.norm_first and plan.layer != "last":
        # It closes the whole encoder; a single layer's output never meets it.
        network.encoder.transformer.layer_norm = nn.Identity()
    return network


def _wav2vec2(sizes: EncoderSizes, depth: int, dropout: float) -> Wav2Vec2Model:
    wavlm = {
        "encoder_num_buckets": sizes.num_buckets,
        "encoder_max_distance": sizes.max_distance,
    }
    build = wavlm_model if sizes.family == "wavlm" else wav2vec2_model
    return build(
        extractor_mode=sizes.conv_norm,
        extractor_conv_layer_config=list(sizes.conv),
        extractor_conv_bias=sizes.conv_bias,
        encoder_embed_dim=sizes.width,
        encoder_projection_dropout=dropout,
        encoder_pos_conv_kernel=sizes.pos_kernel,
        encoder_pos_conv_groups=sizes.pos_groups,
        encoder_num_layers=depth,
        encoder_num_heads=sizes.num_heads,
        encoder_attention_dropout=dropout,
        encoder_ff_interm_features=sizes.feed_forward,
        encoder_ff_interm_dropout=0.0,
        encoder_dropout=dropout,
        encoder_layer_norm_first=sizes.norm_first,
        encoder_layer_drop=0.0,
        aux_num_out=None,
        **(wavlm if sizes.family == "wavlm" else {}),
    )


def _standardise(h_BCT: Tensor, lengths_B: Tensor | None) -> Tensor:
    """Mean 0 and variance 1 of each channel over its valid time, in float32."""
    h_BCT = h_BCT.float()
    if lengths_B is None:
        return functional.layer_norm(h_BCT, h_BCT.shape[2:], eps=EPSILON)
    valid_B1T = (~_beyond(lengths_B, h_BCT.shape[2]))[:, None].to(h_BCT.dtype)
    count_B11 = lengths_B[:, None, None].to(h_BCT.dtype)
    mean_BC1 = (h_BCT * valid_B1T).sum(2, keepdim=True) / count_B11
    centred_BCT = (h_BCT - mean_BC1) * valid_B1T
    variance_BC1 = centred_BCT.square().sum(2, keepdim=True) / count_B11
    return centred_BCT * (variance_BC1 + EPSILON).rsqrt()


def _beyond(lengths_B: Tensor, size: int) -> Tensor:
    """Positions after each row's valid ones, bool (B, size)."""
    return torch.arange(size, device=lengths_B.device) >= lengths_B[:, None]


def _masks(padding_BT: Tensor | None, family: str) -> dict[str, Tensor]:
    """What keeps attention off the padding, in the words of either family's layers."""
    if padding_BT is None:
        return {}
    if family == "wavlm":
        # A float mask: torch deprecates a boolean one beside WavLM's float biases.
        mask_BT = torch.zeros(padding_BT.shape, device=padding_BT.device)
        return {"key_padding_mask": mask_BT.masked_fill(padding_BT, float("-inf"))}
    num_frames = padding_BT.shape[1]
    attended_B1TT = ~padding_BT[:, None, None].expand(-1, 1, num_frames, -1)
    return {"attention_mask": attended_B1TT}
