"""A Whisper encoder of tiny's sizes with random weights: what it costs needs no real ones."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit"))

import tiny_whisper

__all__ = ["random_whisper"]

# Whisper tiny's.
LAYERS = 4
SIZES = {"WIDTH": 384, "NUM_HEADS": 6, "HIDDEN": 1536, "MAX_FRAMES": 1500}


def random_whisper(folder: Path) -> Path:
    """Write one below ``folder``, in Hugging Face's format; its path."""
    before = {name: getattr(tiny_whisper, name) for name in SIZES}
    try:
        for name, value in SIZES.items():
            setattr(tiny_whisper, name, value)
        tensors = tiny_whisper.openai(num_layers=LAYERS)
        # Small enough for values to stay as they are after a layer.
        tensors = {name: tensor * 0.1 for name, tensor in tensors.items()}
        return tiny_whisper.write_hugging_face(folder / "w", tensors, encoder_layers=LAYERS)
    finally:
        for name, value in before.items():
            setattr(tiny_whisper, name, value)
