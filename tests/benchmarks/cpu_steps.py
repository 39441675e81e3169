"""A training step on one CPU thread: float32 beside bfloat16, and packed rows beside masked ones.

    python tests/benchmarks/cpu_steps.py [--output FILE]

Every network at its space's own sizes, on a batch of 32 inputs of 100 frames (2 s at 20 ms) and 40
mels, or 20 MFCCs. The two ways take turns in one process; CPU time, median of ``ROUNDS``.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from raysearch.features.extractor import StreamShape
from raysearch.models.layers.recurrent import MaskedRecurrence
from raysearch.models.model_table import build_model
from raysearch.spec import SearchSpec

ROUNDS, BATCH, FRAMES, CLASSES = 15, 32, 100, 7
SETTINGS = {"resnet34": ["model.pretrained=false"]}
SYSTEMS = ("cnn", "cnn1d_attention", "emohrnet", "lstm", "resnet34")
Step = Callable[[], object]


def medians(ways: dict[str, Step]) -> list[float]:
    """Milliseconds of each way, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, step in ways.items():
            begun = time.process_time()
            step()
            times[name].append(1000 * (time.process_time() - begun))
    # The first rounds choose kernels.
    return [statistics.median(values[3:]) for values in times.values()]


def precisions(system: str) -> list[float]:
    """A whole step of ``system`` in float32 and in bfloat16."""
    spec = SearchSpec.load(system, SETTINGS.get(system, []))
    (stream,) = spec.base.used_features
    bins = 20 if stream == "mfcc" else 40
    shape = StreamShape(bins, FRAMES, kind="spectrogram" if stream == "mel" else "frames")
    torch.manual_seed(0)
    model = build_model(spec.base.model, {stream: shape}, CLASSES)
    model.to(memory_format=torch.channels_last)
    x_BTF, labels_B = torch.randn(BATCH, FRAMES, bins), torch.randint(0, CLASSES, (BATCH,))
    lengths_B = torch.full((BATCH,), FRAMES)

    def step(enabled: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            logits_BK = model({stream: x_BTF}, {stream: lengths_B})
        cross_entropy(logits_BK.float(), labels_B).backward()
        model.zero_grad()

    return medians({"fp32": lambda: step(False), "bf16": lambda: step(True)})


def recurrences(hidden: int) -> list[float]:
    """Forward and backward of a packed LSTM and of a masked one, both directions."""
    x_BTF = torch.randn(BATCH, FRAMES, 40)
    lengths_B = torch.randint(FRAMES // 2, FRAMES + 1, (BATCH,))
    packed_lstm = nn.LSTM(40, hidden, batch_first=True, bidirectional=True)
    masked_lstm = MaskedRecurrence(40, hidden)

    def packed() -> None:
        rows = pack_padded_sequence(x_BTF, lengths_B, batch_first=True, enforce_sorted=False)
        pad_packed_sequence(packed_lstm(rows)[0], batch_first=True)[0].sum().backward()

    def masked() -> None:
        masked_lstm(x_BTF, lengths_B).sum().backward()

    return medians({"packed": packed, "masked": masked})


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as trials do
    amx = "with" if torch.cpu._is_amx_tile_supported() else "without"
    lines = ["# Training steps on one CPU thread", ""]
    lines += ["`python tests/benchmarks/cpu_steps.py --output results/reference/cpu_steps.md`", ""]
    lines += [
        f"Batch {BATCH}, {FRAMES} frames; milliseconds of CPU time, median of {ROUNDS - 3} "
        f"alternating rounds, a CPU {amx} AMX.",
        "",
    ]
    lines += ["| system | float32 | bfloat16 | ratio |", "|---|---:|---:|---:|"]
    lines += [row(system, precisions(system)) for system in SYSTEMS]
    lines += ["", "| bidirectional LSTM, 40 inputs | packed | masked | ratio |"]
    lines += ["|---|---:|---:|---:|"]
    lines += [row(f"{hidden} states", recurrences(hidden)) for hidden in (64, 128)]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


def row(name: str, pair: list[float]) -> str:
    """One line of a table."""
    first, second = pair
    return f"| {name} | {first:.0f} | {second:.0f} | {first / second:.2f} |"


if __name__ == "__main__":
    main()
