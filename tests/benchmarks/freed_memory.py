"""Training steps of a process that keeps freed memory beside those of one that gives it back.

    python tests/benchmarks/freed_memory.py [--pairs 3] [--output FILE]

Every network at its space's own sizes and batch, in float32 on one thread. The two ways are
processes that take turns; both compute the same losses.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from bench_frame import equal, timed
from train_step import Network, Trial

from raysearch.workers.freed_memory import keep_freed_memory

STEPS = {"cnn": 20, "cnn1d_attention": 40, "emohrnet": 15, "lstm": 15, "resnet34": 5, "mfhca": 5}
HEADINGS = "| system | given back, ms | kept, ms | ratio | pages a step | pages kept | peak MiB |"


def steps_of(system: str, kept: bool) -> dict[str, float]:
    """What a step of ``system`` takes in this process, in the mean after three of them."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as trials do
    if kept and not keep_freed_memory():
        sys.exit("this C library cannot be told to keep freed memory")
    trial, number = Trial(Network(system, "fp32", small=False)), STEPS[system]
    for _ in range(3):
        loss = trial.step()
    before = resource.getrusage(resource.RUSAGE_SELF)
    seconds = timed(lambda: [trial.step() for _ in range(number)])
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "loss": loss,
        "ms": 1000 * seconds / number,
        "pages": (after.ru_minflt - before.ru_minflt) / number,
        "peak": after.ru_maxrss / 1024,
    }


def row(system: str, pairs: int) -> str:
    """One line of the table; the ratio is the median of the pairs'."""
    given, kept = [], []
    for _ in range(pairs):
        given.append(_child(system, "given"))
        kept.append(_child(system, "kept"))
    equal(system, [one["loss"] for one in kept], [one["loss"] for one in given], 1e-5)

    def median(side: list[dict[str, float]], what: str) -> float:
        return statistics.median(one[what] for one in side)

    ratio = statistics.median(a["ms"] / b["ms"] for a, b in zip(given, kept, strict=True))
    return (
        f"| {system} | {median(given, 'ms'):.0f} | {median(kept, 'ms'):.0f} | {ratio:.2f} "
        f"| {median(given, 'pages'):.0f} | {median(kept, 'pages'):.0f} "
        f"| {median(given, 'peak'):.0f}, {median(kept, 'peak'):.0f} |"
    )


def _child(system: str, how: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", system, how]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        system, how = arguments.child
        print(json.dumps(steps_of(system, how == "kept")))
        return
    lines = [
        "# Freed memory, kept or given back, one CPU thread",
        "",
        "`python tests/benchmarks/freed_memory.py --output results/reference/freed_memory.md`",
        "",
        f"A training step in float32, medians of {arguments.pairs} alternating pairs of processes; "
        "pages are those that a step gets from the kernel.",
        "",
        HEADINGS,
        "|---" * 7 + "|",
        *(row(system, arguments.pairs) for system in STEPS),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
