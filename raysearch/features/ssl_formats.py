"""How the same encoder's tensors are named by torchaudio and by Hugging Face, and what they tell.

torchaudio's names are the reference. Sizes are read from shapes; what shapes do not show (heads,
strides, the order of norms) comes from a ``config.json``, or from the rules that hold for every
encoder that torchaudio publishes.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from raysearch.features.ssl_sizes import HUBERT_BASE

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LackingConfigError", "canonical", "is_hugging_face", "size_fields"]

Shapes = Mapping[str, tuple[int, ...]]

TRANSFORMER = "encoder.transformer."
# Encoders inside larger models, and what those models have beside them.
PREFIXES = ("hubert.", "wav2vec2.", "wavlm.")
OTHER_PARTS = (
    "aux.",
    "classifier.",
    "layer_weights",
    "lm_head.",
    "logit_generator.",
    "mask_generator.",
    "masked_spec_embed",
    "project_hid.",
    "project_q.",
    "projector.",
    "quantizer.",
)
STANDARD_KERNELS = tuple(kernel for _, kernel, _ in HUBERT_BASE.conv)
STANDARD_STRIDES = tuple(stride for _, _, stride in HUBERT_BASE.conv)
# Widths whose heads are not 64 wide: HuBERT and XLS-R extra large.
HEADS = {1280: 16, 1920: 16}
# torchaudio's words for what config.json calls otherwise.
SYNONYMS = {
    "encoder_layer_norm_first": "do_stable_layer_norm",
    "encoder_max_distance": "max_bucket_distance",
    "encoder_num_heads": "num_attention_heads",
}


class LackingConfigError(ValueError):
    """Something that tensors do not show; the message is what."""


def canonical(tensors: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """The encoder's tensors under torchaudio's names, other parts left out.

    Works on the ``meta`` device, too.
    """
    rename = _from_hugging_face if is_hugging_face(tensors) else str
    named = {}
    for name, tensor in _encoder_part(tensors).items():
        new = rename(name).replace("conv.weight_g", "conv.parametrizations.weight.original0")
        named[new.replace("conv.weight_v", "conv.parametrizations.weight.original1")] = tensor
    return _join_attention(named) if _is_wavlm(named) else named


def is_hugging_face(names: Mapping[str, object]) -> bool:
    """Whether the names are those of a Hugging Face model."""
    return any(name.startswith("encoder.layers.") for name in _encoder_part(names))


def size_fields(shapes: Shapes, config: Mapping[str, object] | None) -> dict[str, object]:
    """``EncoderSizes``' fields, unchecked.

    Args:
        shapes: of the canonical tensors.
        config: a ``config.json`` in Hugging Face's words or torchaudio's; None if there is none.

    Raises:
        KeyError: a tensor that every encoder has is lacking.
        LackingConfigError: heads or strides that only a config could tell.
    """
    config = {SYNONYMS.get(key, key): value for key, value in (config or {}).items()}
    kernels, fields = _convolutions(shapes), _transformer(shapes)
    strides = _strides(tuple(kernel for _, kernel in kernels), config)
    fields["conv"] = [(*kernel, stride) for kernel, stride in zip(kernels, strides, strict=True)]
    first, second = (f"feature_extractor.conv_layers.{i}.layer_norm.weight" for i in (0, 1))
    each = second in shapes if len(kernels) > 1 else config.get("feat_extract_norm") == "layer"
    fields["conv_norm"] = "layer_norm" if each and first in shapes else "group_norm"
    fields["conv_bias"] = "feature_extractor.conv_layers.0.conv.bias" in shapes
    fields["norm_first"] = config.get("do_stable_layer_norm", fields["conv_norm"] == "layer_norm")
    if "num_heads" not in fields:
        fields["num_heads"] = _heads(fields["width"], config)
    if "max_bucket_distance" in config:
        fields["max_distance"] = config["max_bucket_distance"]
    _agree(config, fields)
    return fields


def _encoder_part(names: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, value in names.items():
        prefix = next((p for p in PREFIXES if name.startswith(p)), "")
        if not name.removeprefix(prefix).startswith(OTHER_PARTS):
            kept[name.removeprefix(prefix)] = value
    return kept


def _from_hugging_face(name: str) -> str:
    if name.startswith("feature_projection."):
        return f"encoder.{name}"
    return re.sub(r"^encoder\.", TRANSFORMER, name)


def _is_wavlm(names: Mapping[str, object]) -> bool:
    return f"{TRANSFORMER}layers.0.attention.gru_rel_pos_const" in names


def _join_attention(tensors: "dict[str, Tensor]") -> "dict[str, Tensor]":
    """Hugging Face's three projections of WavLM as the one tensor of torchaudio."""
    # Here, not above: settings are read in processes that must start without torch.
    import torch

    joined = dict(tensors)
    for first in [name for name in tensors if ".attention.q_proj." in name]:
        stem, _, kind = first.rpartition("q_proj.")
        parts = [joined.pop(f"{stem}{letter}_proj.{kind}", None) for letter in "qkv"]
        joined[f"{stem}attention.in_proj_{kind}"] = torch.cat([p for p in parts if p is not None])
        if (out := joined.pop(f"{stem}out_proj.{kind}", None)) is not None:
            joined[f"{stem}attention.out_proj.{kind}"] = out
    return joined


def _convolutions(shapes: Shapes) -> list[tuple[int, int]]:
    """Width and kernel of each convolution."""
    found: list[tuple[int, int]] = []
    while shape := shapes.get(f"feature_extractor.conv_layers.{len(found)}.conv.weight"):
        width, _, kernel = shape
        found.append((width, kernel))
    return found


def _transformer(shapes: Shapes) -> dict[str, Any]:
    layers = re.compile(re.escape(TRANSFORMER) + r"layers\.(\d{1,4})\.")
    numbers = {int(match[1]) for name in shapes if (match := layers.match(name))}
    positions = shapes[f"{TRANSFORMER}pos_conv_embed.conv.parametrizations.weight.original1"]
    width, per_group, kernel = positions
    fields: dict[str, object] = {
        "family": "wavlm" if _is_wavlm(shapes) else "wav2vec2",
        "width": width,
        "num_layers": len(numbers),
        "feed_forward": shapes[f"{TRANSFORMER}layers.0.feed_forward.intermediate_dense.weight"][0],
        "pos_kernel": kernel,
        "pos_groups": width // max(1, per_group),
    }
    if fields["family"] == "wavlm":
        buckets, heads = shapes[f"{TRANSFORMER}layers.0.attention.rel_attn_embed.weight"]
        fields.update(num_buckets=buckets, num_heads=heads)
    return fields


def _strides(kernels: tuple[int, ...], config: Mapping[str, object]) -> list[object]:
    told = config.get("conv_stride")
    if told is None and isinstance(layers := config.get("extractor_conv_layer_config"), list):
        told = [layer[2] for layer in layers if isinstance(layer, list) and len(layer) == 3]
    if told is None and kernels == STANDARD_KERNELS:
        told = STANDARD_STRIDES
    if told is None:
        raise LackingConfigError("the strides of its convolutions")
    if not isinstance(told, list | tuple) or len(told) != len(kernels):
        raise ValueError(
            f"its config has strides {told!r}, its tensors {len(kernels)} convolutions"
        )
    return list(told)


def _heads(width: int, config: Mapping[str, Any]) -> Any:
    if (told := config.get("num_attention_heads")) is not None:
        return told
    if width in HEADS:
        return HEADS[width]
    if width % 64:
        raise LackingConfigError("the number of its attention heads")
    return width // 64


def _agree(config: Mapping[str, object], fields: Mapping[str, object]) -> None:
    for key, field in (("hidden_size", "width"), ("num_hidden_layers", "num_layers")):
        if config.get(key, fields[field]) != fields[field]:
            raise ValueError(f"its config has {key} {config[key]!r}, its tensors {fields[field]}")
