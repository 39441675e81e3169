"""Small Whisper models with random weights, in the three formats in which real ones are published.

Axes as in the encoder. Names are written out by hand: nothing here uses the product's tables.
"""

import json
import struct

import numpy as np
import torch
from safetensors.torch import save_file

WIDTH, NUM_HEADS, NUM_LAYERS, HIDDEN, MAX_FRAMES, N_MELS = 32, 4, 3, 48, 50, 80
# OpenAI's names, Hugging Face's, CTranslate2's.
IN_A_LAYER = {
    "attn_ln": ("self_attn_layer_norm", "self_attention/layer_norm"),
    "attn.out": ("self_attn.out_proj", "self_attention/linear_1"),
    "mlp_ln": ("final_layer_norm", "ffn/layer_norm"),
    "mlp.0": ("fc1", "ffn/linear_0"),
    "mlp.2": ("fc2", "ffn/linear_1"),
}
PROJECTIONS = {"query": "q_proj", "key": "k_proj", "value": "v_proj"}
TYPES = {np.dtype(np.float32): 0, np.dtype(np.int8): 1, np.dtype(np.int16): 2}
TYPES[np.dtype(np.float16)] = 4


def openai(seed=0, n_mels=N_MELS, num_layers=NUM_LAYERS):
    """The state dict of an encoder and of what stands for a decoder."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(shape, generator=generator) * 0.2

    tensors = {
        "encoder.positional_embedding": random(MAX_FRAMES, WIDTH),
        "decoder.token_embedding.weight": random(7, WIDTH),
        "decoder.blocks.0.cross_attn.key.weight": random(WIDTH, WIDTH),
    }

    def linear(name, *shape, bias=True):
        tensors[f"encoder.{name}.weight"] = random(*shape)
        if bias:
            tensors[f"encoder.{name}.bias"] = random(shape[0])

    linear("conv1", WIDTH, n_mels, 3)
    linear("conv2", WIDTH, WIDTH, 3)
    linear("ln_post", WIDTH)
    for block in (f"blocks.{number}" for number in range(num_layers)):
        for name in ("query", "key", "value", "out"):
            linear(f"{block}.attn.{name}", WIDTH, WIDTH, bias=name != "key")
        linear(f"{block}.mlp.0", HIDDEN, WIDTH)
        linear(f"{block}.mlp.2", WIDTH, HIDDEN)
        linear(f"{block}.attn_ln", WIDTH)
        linear(f"{block}.mlp_ln", WIDTH)
    return tensors


def dims(**changes):
    sizes = {"n_mels": N_MELS, "n_audio_ctx": MAX_FRAMES, "n_audio_state": WIDTH}
    sizes |= {"n_audio_head": NUM_HEADS, "n_audio_layer": NUM_LAYERS, "n_vocab": 7}
    return {**sizes, **changes}


def hugging_face(tensors, prefix="model."):
    """As ``WhisperForConditionalGeneration`` names them; without the prefix, ``WhisperModel``."""
    found = {f"{prefix}decoder.embed_tokens.weight": tensors["decoder.token_embedding.weight"]}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part != "encoder":
            continue
        rest = rest.replace("positional_embedding", "embed_positions.weight")
        rest = rest.replace("ln_post", "layer_norm").replace("blocks.", "layers.")
        for old, (new, _) in IN_A_LAYER.items():
            rest = rest.replace(f".{old}.", f".{new}.")
        for old, new in PROJECTIONS.items():
            rest = rest.replace(f".attn.{old}.", f".self_attn.{new}.")
        found[f"{prefix}encoder.{rest}"] = tensor
    return found


def hugging_face_config(**changes):
    sizes = {"num_mel_bins": N_MELS, "max_source_positions": MAX_FRAMES, "d_model": WIDTH}
    sizes |= {"encoder_attention_heads": NUM_HEADS, "encoder_layers": NUM_LAYERS}
    return {"model_type": "whisper", **sizes, **changes}


def ctranslate2(tensors, quantise=None):
    """CTranslate2's variables, arrays by name; ``quantise``: None, int8 or int16."""
    found = {"encoder/num_heads": np.int16(NUM_HEADS), "decoder/scale_embeddings": np.int8(1)}
    found["decoder/embeddings/weight"] = tensors["decoder.token_embedding.weight"].numpy()
    encoder = {n.removeprefix("encoder."): t.numpy() for n, t in tensors.items() if n[0] == "e"}
    found["encoder/position_encodings/encodings"] = encoder["positional_embedding"]
    simple = {"conv1": "conv1", "conv2": "conv2", "ln_post": "layer_norm"}
    num_layers = len({name.split(".")[1] for name in encoder if name.startswith("blocks.")})
    for number in range(num_layers):
        block, layer = f"blocks.{number}", f"layer_{number}"
        simple |= {f"{block}.{old}": f"{layer}/{new}" for old, (_, new) in IN_A_LAYER.items()}
        stem = f"encoder/{layer}/self_attention/linear_0"
        parts = [encoder[f"{block}.attn.{name}.weight"] for name in PROJECTIONS]
        biases = [encoder[f"{block}.attn.{name}.bias"] for name in ("query", "value")]
        found[f"{stem}/weight"] = np.concatenate(parts)
        found[f"{stem}/bias"] = np.concatenate([biases[0], 0 * biases[0], biases[1]])
    for old, new in simple.items():
        norm = old.endswith(("ln", "ln_post"))
        for kind, kind_there in (("weight", "gamma"), ("bias", "beta")):
            there = kind_there if norm else kind
            found[f"encoder/{new}/{there}"] = encoder[f"{old}.{kind}"]
    return _quantised(found, quantise) if quantise else found


def _quantised(variables, kind):
    """Weights as whole numbers and the scales by which they were multiplied."""
    found = {}
    for name, value in variables.items():
        if name.startswith("encoder/") and name.endswith("/weight"):
            rows = np.abs(value).reshape(len(value), -1).max(axis=1)
            scale = np.float32(127 / rows if kind == "int8" else 1000 / rows.max())
            columns = (-1,) + (1,) * (value.ndim - 1) if kind == "int8" else ()
            found[f"{name}_scale"] = scale
            value = np.rint(value * scale.reshape(columns)).astype(kind)
        found[name] = value
    return found


def write_ctranslate2(folder, variables, spec="WhisperSpec", version=6, aliases=()):
    """``model.bin``; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    data = struct.pack("<I", version) + _string(spec) + struct.pack("<II", 3, len(variables))
    for name, value in sorted(variables.items()):
        value = np.asarray(value)
        data += _string(name) + struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        data += struct.pack("<BI", TYPES[value.dtype], value.nbytes) + value.tobytes()
    data += struct.pack("<I", len(aliases))
    for alias, name in aliases:
        data += _string(alias) + _string(name)
    (folder / "model.bin").write_bytes(data)
    return folder


def _string(text):
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def write_openai(path, tensors, **changes):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"dims": dims(**changes), "model_state_dict": tensors}, path)
    return path


def write_hugging_face(folder, tensors, prefix="model.", **changes):
    folder.mkdir(parents=True, exist_ok=True)
    save_file(hugging_face(tensors, prefix), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(hugging_face_config(**changes)))
    return folder
