"""The Markdown of the packing benchmark's figures."""

from collections.abc import Sequence
from typing import Any

__all__ = ["markdown"]

METHOD = """A row is one way for so many trials to share the device. *Steps/s* counts the optimizer
steps of all members together: rows drawn, SpecAugment, forward, gradient, clip, AdamW; median of
five rounds in which the row's ways take turns, slowest and fastest beside it. *Gain* is that over
one lone trial in the same rounds; of processes, over one process. *lone* is a trial as it is
trained now, *graph* the whole step as one CUDA graph, *packed* one network by `torch.func.vmap`
with each member's own rate, decay, masks and dropout, *matrices* its convolutions as products
instead of cuDNN's groups, *streams* n networks on n streams of one graph, *processes* n processes
without MPS, *tuned* with `cudnn.benchmark`; float32 is with torch's defaults (TensorFloat-32 in
cuDNN). *Peak* is the most memory that building and a first step
took (a process' own context, about 0.5 GB, is not in it). Validation, data loading and reports are
not in any row."""

EQUAL = """The same trials packed and alone, float32 without TensorFloat-32, dropout off, equal rows
and masks. *Weights* is the distance of a member's weights both ways as a share of the way that
training moved them, *rounding* the same of two trials alone that begin one rounding apart, *losses*
the largest relative difference, *statistics* that of batch norm's running values. Adam divides by a
gradient's size, so a gradient that is hardly more than rounding moves a weight as far as any other:
equal means as near as rounding allows."""


def markdown(figures: dict[str, Any]) -> str:
    """A section: the machine, equality, then a table a part."""
    facts, rows = figures["facts"], figures["rows"]
    small = " Tiny networks: no figure means anything." if facts["small"] else ""
    lines = [
        "## Packed trials",
        "",
        f"{facts['device']}, {facts['cpus']} CPUs, Python {facts['python']}, torch "
        f"{facts['torch']}.{small}",
        "",
        METHOD,
        "",
    ]
    equal = [row for row in rows if row["part"] == "equality"]
    if equal:
        lines += ["### Equal to trials by themselves", "", EQUAL, ""]
        lines += ["| system | members | steps | losses | weights | rounding | statistics |"]
        lines += ["|---|---:|---:|---:|---:|---:|---:|", *map(_equality, equal), ""]
    for part in dict.fromkeys(row["part"] for row in rows if row["part"] != "equality"):
        lines += _table([row for row in rows if row["part"] == part])
    for name, how in figures["parts"].items():
        if how["ended"] != "whole":
            lines += [f"{name}: {how['ended'].splitlines()[-1]}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _equality(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"| {row['system']} | {row['error']} | | | | | |"
    apart = " | ".join(f"{row[name]:.1e}" for name in ("losses", "weights", "rounding", "buffers"))
    return f"| {row['system']} | {row['members']} | {row['steps']} | {apart} |"


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    head = rows[0]
    lines = [f"### {head['part']}: {head['system']}, {head['precision']}", ""]
    lines += ["| way | members | steps/s | slowest to fastest | gain | ms a step | peak MiB |"]
    lines += ["|---|---:|---:|---:|---:|---:|---:|"]
    lone = "processes, lone" if head["part"] == "processes" else "lone"
    seen = set()
    base = 0.0
    for row in rows:
        key = (row["way"], row["members"])
        if key == (lone, 1) and "rate" in row:
            base = row["rate"]  # of the same rounds as the rows after it
        if key in seen:
            continue
        seen.add(key)
        lines.append(_line(row, base))
    return [*lines, ""]


def _line(row: dict[str, Any], base: float) -> str:
    start = f"| {row['way']} | {row['members']} |"
    if "error" in row:
        return f"{start} {row['error'].replace('|', '/')} | | | | |"
    gain = f"{row['rate'] / base:.1f}" if base else ""
    peak = f"{row['peak_mib']:,.0f}" if row.get("peak_mib") else ""
    spread = f"{row['low']:,.0f} to {row['high']:,.0f}"
    return f"{start} {row['rate']:,.0f} | {spread} | {gain} | {row['step_ms']:.2f} | {peak} |"
