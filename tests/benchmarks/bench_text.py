"""Results as lines for a terminal, and as the table in ``results/reference/benchmarks.md``."""

import textwrap
from collections.abc import Iterator, Sequence

from bench_frame import Figure, Goal, Result
from bench_notes import NOTES

__all__ = ["lines_of", "table"]

WIDTH = 80
INTRODUCTION = """\
`make bench` measures the cheap rows, `make bench-full` all of them; the figures lie in
[benchmarks/](benchmarks). Ways take turns (ABAB), with equal threads, and equal outputs are
asserted. Measured is the median over the pairs, in brackets lowest and highest; of ratios each is
of a pair's two neighbours."""


def lines_of(result: Result) -> Iterator[str]:
    """For a terminal of 80 columns: what was done, and a line or two a figure."""
    head = f"{result.row}: {_pairs(result)}"
    yield head + (", the smallest sizes: no figure means anything" if result.small else "")
    yield from _wrapped(result.about, "  ")
    for one in result.figures:
        name = textwrap.wrap(one.name, 30)
        yield f"  {name[0]:<30}  {_measured(one):<23} {_verdict(one)}".rstrip()
        yield from (f"  {more}" for more in name[1:])
        if one.why_absent:
            yield from _wrapped(one.why_absent, "    ")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def table(results: Sequence[Result], without: Sequence[str] = ()) -> str:
    """The Markdown page of all results, and the names of the rows that have none."""
    machines = list(dict.fromkeys(result.machine.words() for result in results))
    lines = ["# Benchmarks", "", *INTRODUCTION.splitlines(), ""]
    for number, words in enumerate(machines, 1):
        lines += [f"Machine {number}: {words}." if len(machines) > 1 else f"{words}.", ""]
    lines += ["| benchmark | figure | target | measured | |", "|---|---|---:|---:|---|"]
    for result in results:
        lines += [_row(result, one) for one in result.figures]
    for result in results:
        lines += ["", *_section(result, machines)]
    if without:
        lines += ["", f"Not measured: {', '.join(without)}."]
    return "\n".join(lines) + "\n"


def _row(result: Result, one: Figure) -> str:
    target = _target(one.goal, one.unit) if one.goal else ""
    return f"| {result.row} | {one.name} | {target} | {_measured(one)} | {_met(one)} |"


def _section(result: Result, machines: Sequence[str]) -> Iterator[str]:
    yield f"## {result.row}"
    yield ""
    yield f"`{result.command}`"
    yield ""
    yield from textwrap.wrap(result.about, 100, break_on_hyphens=False)
    place = f", machine {machines.index(result.machine.words()) + 1}" if len(machines) > 1 else ""
    code = f", commit {result.commit}" if result.commit else ""
    yield ""
    yield (f"{result.day}{place}{code}: {_pairs(result)}, load {result.machine.load:.1f} before.")
    if result.small:
        yield "A try with the smallest sizes: no figure means anything."
    for one in result.figures:
        if one.why_absent:
            yield f"- {one.name}: {one.why_absent}"
    if not result.small and any(one.met is False for one in result.figures):
        yield ""
        yield from NOTES.get(result.row, "").splitlines()


def _pairs(result: Result) -> str:
    pairs = "1 pair" if result.pairs == 1 else f"{result.pairs} pairs"
    return f"{pairs} in {result.seconds:.0f} s"


def _measured(one: Figure) -> str:
    if not one.values:
        return "not measured"
    low, high = min(one.values), max(one.values)
    shown = _amount(one.median, one.unit)
    return shown if low == high else f"{shown} ({_number(low)} to {_number(high)})"


def _verdict(one: Figure) -> str:
    return f"{_target(one.goal, one.unit)}: {_met(one)}" if one.goal and one.values else ""


def _met(one: Figure) -> str:
    return {True: "met", False: "missed", None: ""}[one.met]


def _target(goal: Goal, unit: str) -> str:
    return f"{goal.bound} {_amount(goal.value, unit)}"


def _amount(value: float, unit: str) -> str:
    return f"{_number(value)}{unit}" if unit in ("x", "%") else f"{_number(value)} {unit}".rstrip()


def _number(value: float) -> str:
    """Three digits, and no powers of ten."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"
