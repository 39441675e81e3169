"""Channels last beside torch's own order, by the number of channels, on one CPU thread.

    python tests/benchmarks/memory_formats.py [--output FILE]

Forward and backward of a 3 x 3 convolution, batch normalisation and ReLU on 16 maps of 100 frames
and 40 mels, in float32. The two orders take turns in one process; CPU time, median.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from cpu_steps import medians, row
from torch import nn

ORDERS = ("contiguous_format", "channels_last")
CHANNELS = (4, 6, 8, 12, 16, 18, 20, 24, 32, 40)
BATCH, FRAMES, BINS = 16, 100, 40


def orders(channels: int) -> list[float]:
    """Milliseconds of torch's own order, and of channels last."""
    return medians({name: _step(channels, getattr(torch, name)) for name in ORDERS})


def _step(channels: int, order: torch.memory_format) -> Callable[[], None]:
    layers = nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )
    layers.to(memory_format=order)  # type: ignore[call-overload]
    x_BCTF = torch.randn(BATCH, channels, FRAMES, BINS).to(memory_format=order).requires_grad_()

    def step() -> None:
        layers(x_BCTF).sum().backward()

    return step


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as trials do
    lines = [
        "# Two orders of a map in memory, one CPU thread",
        "",
        "`python tests/benchmarks/memory_formats.py --output results/reference/memory_formats.md`",
        "",
        f"Convolution, batch normalisation and ReLU, forward and backward, {BATCH} maps of "
        f"{FRAMES} frames and {BINS} mels; milliseconds of CPU time, median of alternating rounds, "
        f"a CPU with {torch.backends.cpu.get_cpu_capability()}.",
        "",
        "| channels | torch's own order | channels last | ratio |",
        "|---|---:|---:|---:|",
    ]
    lines += [row(str(channels), orders(channels)) for channels in CHANNELS]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
