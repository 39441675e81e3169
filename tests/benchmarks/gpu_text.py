"""The tables of ``gpu_table.py``'s JSON, and of ``gpu_packing.py``'s beside it, as Markdown.

cd tests/benchmarks
python gpu_text.py TABLE.json [--packing PACKING.json] [--output ../../results/reference/gpu.md]
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packing_text import markdown as packing_section

Rows = Mapping[str, Mapping[str, Any]]

# What the committed figures show, written after they were made.
SEEN = """Both were measured in one lease of a machine, on two of its sixteen cores, while searches
on the CPU kept the others busy: what waits for Python is slower here than on an idle machine, and
what a kernel takes is not.

- No shipped net keeps this card busy. Kernels run in 3 to 35% of a step (mfhca 56% with channels
  first); the rest is Python launching them. So bf16 gains nothing but memory, save for mfhca (1.35
  times as fast), and four processes on one card do 2.2 times the steps of one.
- The whole step as one CUDA graph does 7 (cnn) to 19 (ssl) times the steps of the same trial, by
  itself. Eight trials on eight streams of one graph do 15 to 71 times those of one plain trial.
  Packing by `vmap` is ahead of streams only where nets are tiniest (ssl, cnn1d_attention with 32).
- Whisper tiny's frames come 8.8 times as fast as from two CPU threads. With TensorFloat-32, which
  cuDNN uses unless told otherwise, they differ from a CPU's by 2.4 times what half precision, in
  which they are stored, does; without it by 0.02 times.
- Page-locked batches made ahead take the host tier from 0.594 to 0.512 s an epoch of cnn; the
  device tier has 0.497."""


def text(found: Mapping[str, Any], packing: Mapping[str, Any] | None) -> str:
    """All tables that there are figures for, with what each figure is."""
    lines = ["# What a GPU does for a search", "", *_head(found["facts"]), "", SEEN]
    measured = {part: found[part] for part in _WRITERS if _any_figure(found.get(part, {}))}
    for part, rows in measured.items():
        lines += ["", *_WRITERS[part](rows), *_errors(rows)]
    missing = [part for part in _WRITERS if part not in measured]
    if missing:
        lines += ["", f"Not measured, for want of time: {', '.join(missing)}."]
    if packing:
        lines += ["", packing_section(dict(packing)).rstrip()]
    return "\n".join(lines) + "\n"


def _any_figure(rows: Rows) -> bool:
    return any("error" not in row for row in rows.values())


def _head(facts: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    machine = f"{facts['cpus']} CPU cores, Python {facts['python']}, {versions}"
    if "gpu" in facts:
        card = f"One {facts['gpu']} ({facts['memory_gib']:.0f} GiB), CUDA {facts['cuda']}"
        machine = f"{card}, cuDNN {facts['cudnn']}; {machine}"
    lines = [
        "`python tests/benchmarks/gpu_table.py --json gpu.json`, and for packed trials",
        "`python tests/benchmarks/gpu_packing.py --json packing.json`",
        "",
        f"{machine}.",
    ]
    if facts["small"]:
        lines.append("A try of the script with tiny batches: no figure here means anything.")
    lines += ["Ways of one row took turns; figures are medians, in brackets the extremes."]
    return lines


def _steps(rows: Rows) -> Iterator[str]:
    yield "## A training step"
    yield ""
    yield (
        "Each system's `-gpu` space at its own sizes; loss, gradients and optimizer with the "
        "batch on the device. *Busy*: the share of a step in which a kernel ran; the rest waits "
        "for Python to launch the next. *Memory*: the most that a step held, the net included."
    )
    yield ""
    yield from _step_table(rows)


def _compiled(rows: Rows) -> Iterator[str]:
    yield "## The same step compiled"
    yield ""
    yield (
        "`training.compile` (*compiled*), and `torch.compile(mode='reduce-overhead')`, which "
        "replays CUDA graphs (*graphs*; no setting of raysearch). *First step*: compiling "
        "included; its caches are those of an earlier row or of none."
    )
    yield ""
    yield from _step_table(rows)


def _step_table(rows: Rows) -> Iterator[str]:
    yield "| system | batch | way | step, ms | clips/s | busy | memory, MiB | first step, s |"
    yield "|---|---:|---|---:|---:|---:|---:|---:|"
    for system, ways in rows.items():
        for way, one in _figures(ways):
            if "error" in one:
                yield f"| {system} | | {way} | {_cell(one['error'])} | | | | |"
                continue
            spread = f"{one['step_ms']:.2f} ({one['lowest_ms']:.2f}-{one['highest_ms']:.2f})"
            cells = [
                system,
                one["batch"],
                way,
                spread,
                f"{one['clips_per_s']:.0f}",
                _or_none(one.get("kernel_share"), "{:.0%}"),
                _or_none(one["memory_mib"], "{:.0f}"),
                f"{one['first_step_s']:.1f}",
            ]
            yield _row(cells)


def _tiers(rows: Rows) -> Iterator[str]:
    yield "## An epoch from each tier"
    yield ""
    yield (
        "800 recordings of 1 to 5 s as 64 mels every 10 ms, crops of 3 s, and 100 more that "
        "validate. *Prefetched* is what the host tier does for a GPU: a thread cuts ahead into "
        "page-locked memory."
    )
    yield ""
    yield "| system | tier | epoch, s |"
    yield "|---|---|---:|"
    for system, ways in rows.items():
        for tier, one in _figures(ways):
            spread = f"{one['epoch_s']:.3f} ({one['lowest_s']:.3f}-{one['highest_s']:.3f})"
            yield _row([system, tier, spread])


def _features(rows: Rows) -> Iterator[str]:
    yield "## A Whisper encoder's frames"
    yield ""
    yield (
        "Recordings of 3 s, one at a time as when features are computed. Differences are the "
        "largest between a GPU's frames and a CPU's, as a share of the largest value; half "
        "precision is what frames are stored in."
    )
    yield ""
    yield "| | |"
    yield "|---|---:|"
    for row in rows.values():
        for name, value in row.items():
            if name not in ("took_s", "error"):
                if isinstance(value, float):
                    per = "" if name.startswith("difference") else " recordings/s"
                    value = f"{value:.2g}" if not per else f"{value:.1f}{per}"
                yield _row([name, value])


def _slots(rows: Rows) -> Iterator[str]:
    yield "## Slots on one card"
    yield ""
    yield "Processes that train at once, each as a worker with its share of the card does."
    yield ""
    yield "| processes | steps/s together | times one | steps/s of each |"
    yield "|---|---:|---:|---|"
    first = next((row["steps_per_s"] for row in rows.values() if "steps_per_s" in row), None)
    for name, row in rows.items():
        if "steps_per_s" in row and first:
            each = ", ".join(f"{one:.0f}" for one in row["each"])
            ratio = f"{row['steps_per_s'] / first:.2f}"
            yield _row([name, f"{row['steps_per_s']:.0f}", ratio, each])


def _trial(rows: Rows) -> Iterator[str]:
    yield "## A whole trial of cnn on EMO-DB"
    yield ""
    yield (
        "`raysearch run --space cnn --trials 1`, without pauses. *Trial*: from its start to its "
        "last epoch; *epoch*: between the first and the last; *command*: everything, features and "
        "the start of Ray included (the second finds the first one's features)."
    )
    yield ""
    yield "| | CPUs | epochs | trial, s | epoch, s | command, s |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, row in rows.items():
        if "trial_s" in row:
            seconds = [f"{row['trial_s']:.1f}", f"{row['epoch_s']:.3f}", f"{row['command_s']:.0f}"]
            yield _row([name, row["cpus"], row["epochs"], *seconds])


def _figures(ways: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(name, one) for name, one in ways.items() if isinstance(one, Mapping)]


def _errors(rows: Rows) -> Iterator[str]:
    failed = {name: row["error"] for name, row in rows.items() if "error" in row}
    if failed:
        yield ""
    for name, error in failed.items():
        yield f"- {name}: {error}"


def _row(cells: Sequence[Any]) -> str:
    return "| " + " | ".join(_cell(str(cell)) for cell in cells) + " |"


def _cell(value: str) -> str:
    return value.replace("|", "\\|")


def _or_none(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


_WRITERS = {
    "steps": _steps,
    "compiled": _compiled,
    "tiers": _tiers,
    "features": _features,
    "slots": _slots,
    "trial": _trial,
}


def main() -> None:
    """Write the text of a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("json", type=Path)
    parser.add_argument("--packing", type=Path, help="the JSON of gpu_packing.py")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    packing = json.loads(options.packing.read_text()) if options.packing else None
    written = text(json.loads(options.json.read_text()), packing)
    if options.output:
        options.output.write_text(written)
    else:
        print(written, end="")


if __name__ == "__main__":
    main()
