"""Small SSL encoders with random weights, in the formats in which real ones are published."""

import json
import re

import torch
from safetensors.torch import save_file
from torchaudio.models import wav2vec2_model, wavlm_model

NUM_LAYERS = 3
NUM_HEADS = 4
WIDTH = 32
CONV = [(16, 10, 5), *[(16, 3, 2)] * 4, *[(16, 2, 2)] * 2]
STYLES = ("base", "large", "wavlm", "wavlm-large")


def network(style="base", seed=0, num_layers=NUM_LAYERS, width=WIDTH, num_heads=NUM_HEADS):
    """torchaudio's network; ``large`` has the norms of the large bundles."""
    large, wavlm = style.endswith("large"), style.startswith("wavlm")
    torch.manual_seed(seed)
    built = (wavlm_model if wavlm else wav2vec2_model)(
        extractor_mode="layer_norm" if large else "group_norm",
        extractor_conv_layer_config=CONV,
        extractor_conv_bias=style == "large",
        encoder_embed_dim=width,
        encoder_projection_dropout=0.1,
        encoder_pos_conv_kernel=16,
        encoder_pos_conv_groups=4,
        encoder_num_layers=num_layers,
        encoder_num_heads=num_heads,
        **({"encoder_num_buckets": 32, "encoder_max_distance": 80} if wavlm else {}),
        encoder_attention_dropout=0.1,
        encoder_ff_interm_features=48,
        encoder_ff_interm_dropout=0.0,
        encoder_dropout=0.1,
        encoder_layer_norm_first=large,
        encoder_layer_drop=0.0,
        aux_num_out=None,
    )
    with torch.no_grad():
        for param in built.parameters():
            param.add_(0.1 * torch.randn_like(param))
    return built.eval()


def config(style="base", num_layers=NUM_LAYERS, width=WIDTH, num_heads=NUM_HEADS):
    """The part of Hugging Face's config.json that matters."""
    large = style.endswith("large")
    return {
        "model_type": "wavlm" if style.startswith("wavlm") else "hubert",
        "conv_dim": [width for width, _, _ in CONV],
        "conv_kernel": [kernel for _, kernel, _ in CONV],
        "conv_stride": [stride for _, _, stride in CONV],
        "do_stable_layer_norm": large,
        "feat_extract_norm": "layer" if large else "group",
        "hidden_size": width,
        "max_bucket_distance": 80,
        "num_attention_heads": num_heads,
        "num_hidden_layers": num_layers,
    }


def hugging_face_names(tensors, prefix="hubert."):
    """A torchaudio state dict as ``HubertForCTC`` or ``WavLMForCTC`` would hold it."""
    renamed = {"lm_head.weight": torch.zeros(3, 5), f"{prefix}masked_spec_embed": torch.zeros(5)}
    for name, tensor in tensors.items():
        name = re.sub(r"^encoder\.(transformer\.)?", lambda m: "encoder." if m[1] else "", name)
        if match := re.match(r"(.*\.attention\.)attention\.in_proj_(\w+)$", name):
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                renamed[f"{prefix}{match[1]}{letter}_proj.{match[2]}"] = part.clone()
        else:
            renamed[prefix + name.replace("attention.attention.", "attention.")] = tensor
    return renamed


def old_names(tensors):
    """Weight norm's names before torch 2.1, which the published files have."""
    names = {"parametrizations.weight.original0": "weight_g"}
    names["parametrizations.weight.original1"] = "weight_v"
    return {re.sub("|".join(names), lambda m: names[m[0]], k): v for k, v in tensors.items()}


def save(tensors, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return path


def write_config(folder, **fields):
    (folder / "config.json").write_text(json.dumps(fields))


def write_file(folder, style="base", **sizes):
    """``encoder.pth`` as torchaudio saves it, and its config beside it."""
    path = save(network(style, **sizes).state_dict(), folder / "encoder.pth")
    sizes.pop("seed", None)
    write_config(folder, **config(style, **sizes))
    return path
