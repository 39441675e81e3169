"""How OpenAI, Hugging Face and CTranslate2 name the tensors of a Whisper encoder, and its sizes.

The names of ``WhisperNetwork`` are the reference. Decoders are left out.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from raysearch.features.ssl_formats import LackingConfigError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["is_whisper", "whisper_fields", "whisper_tensors"]

Shapes = Mapping[str, tuple[int, ...]]

ENCODER = re.compile(r"(?:model\.)?encoder[./](?=\D)")
STEMS = ("conv1.weight", "conv2.weight")
HEADS = "num_heads"
# After the encoder's prefix, in each of the three vocabularies.
RENAMED = (
    # OpenAI's
    (r"^blocks\.", "layers."),
    (r"\.attn\.query\.", ".attention.q_proj."),
    (r"\.attn\.key\.", ".attention.k_proj."),
    (r"\.attn\.value\.", ".attention.v_proj."),
    (r"\.attn\.out\.", ".attention.out_proj."),
    (r"\.attn_ln\.", ".layer_norm."),
    (r"\.mlp_ln\.", ".final_layer_norm."),
    (r"\.mlp\.0\.", ".feed_forward.intermediate_dense."),
    (r"\.mlp\.2\.", ".feed_forward.output_dense."),
    (r"^ln_post\.", "layer_norm."),
    (r"^positional_embedding$", "positions"),
    # Hugging Face's
    (r"\.self_attn\.", ".attention."),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
    (r"^embed_positions\.weight$", "positions"),
    # CTranslate2's
    (r"^layer_(\d+)\.", r"layers.\1."),
    (r"\.ffn\.layer_norm\.", ".final_layer_norm."),
    (r"\.ffn\.linear_0\.", ".feed_forward.intermediate_dense."),
    (r"\.ffn\.linear_1\.", ".feed_forward.output_dense."),
    (r"\.self_attention\.layer_norm\.", ".layer_norm."),
    (r"\.self_attention\.linear_0\.", ".attention.qkv_proj."),
    (r"\.self_attention\.linear_1\.", ".attention.out_proj."),
    (r"norm\.gamma$", "norm.weight"),
    (r"norm\.beta$", "norm.bias"),
    (r"^position_encodings\.encodings$", "positions"),
)
# What a config.json and OpenAI's ``dims`` call the same.
TOLD = {
    "n_mels": ("num_mel_bins", "n_mels"),
    "width": ("d_model", "n_audio_state"),
    "num_layers": ("encoder_layers", "n_audio_layer"),
    "num_heads": ("encoder_attention_heads", "n_audio_head"),
    "max_frames": ("max_source_positions", "n_audio_ctx"),
}
# Of every published size.
HEAD_WIDTH = 64


def is_whisper(names: Mapping[str, object]) -> bool:
    """Whether the names are those of a Whisper model."""
    bare = {_bare(name) for name in names if ENCODER.match(name)}
    return bare.issuperset(STEMS)


def whisper_tensors(tensors: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """The encoder's tensors under the network's names; other parts are left out."""
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not ENCODER.match(name) or not tensor.dim():
            continue  # a decoder, or one of CTranslate2's settings
        new = _bare(name)
        for old, replacement in RENAMED:
            new = re.sub(old, replacement, new)
        stem, joined, kind = new.rpartition("qkv_proj.")
        parts = zip("qkv", tensor.chunk(3), strict=True) if joined else ()
        named |= {f"{stem}{letter}_proj.{kind}": part for letter, part in parts}
        if not joined:
            named[new] = tensor
    return {name: tensor for name, tensor in named.items() if not _needless(name, tensor)}


def whisper_fields(
    tensors: "Mapping[str, Tensor]", shapes: Shapes, config: Mapping[str, object]
) -> dict[str, object]:
    """``WhisperSizes``' fields, unchecked.

    Args:
        tensors: as the file has them: CTranslate2's say how many heads there are.
        shapes: of ``whisper_tensors``.
        config: a ``config.json`` in Hugging Face's words, or OpenAI's ``dims``, or empty.

    Raises:
        KeyError: a tensor that every encoder has is lacking.
        LackingConfigError: heads that only a config could tell.
        ValueError: the config says otherwise than the tensors.
    """
    width, n_mels, _ = shapes["conv1.weight"]
    numbers = {
        int(match[1]) for name in shapes if (match := re.match(r"layers\.(\d{1,4})\.", name))
    }
    fields: dict[str, object] = {
        "n_mels": n_mels,
        "width": width,
        "num_layers": len(numbers),
        "feed_forward": shapes["layers.0.feed_forward.intermediate_dense.weight"][0],
        "max_frames": shapes["positions"][0],
    }
    told = {f: config[key] for f, keys in TOLD.items() for key in keys if key in config}
    for field in fields.keys() & told.keys():
        if told[field] != fields[field]:
            raise ValueError(f"its config has {field} {told[field]!r}, its tensors {fields[field]}")
    heads = next((int(t) for name, t in tensors.items() if _bare(name) == HEADS), None)
    fields["num_heads"] = heads or told.get("num_heads") or _usual_heads(width)
    return fields


def _bare(name: str) -> str:
    return ENCODER.sub("", name, count=1).replace("/", ".")


def _needless(name: str, tensor: "Tensor") -> bool:
    """CTranslate2 joins three biases, of which the keys' is zero."""
    return name.endswith("k_proj.bias") and not tensor.any()


def _usual_heads(width: int) -> int:
    if width % HEAD_WIDTH:
        raise LackingConfigError("the number of its attention heads")
    return width // HEAD_WIDTH
