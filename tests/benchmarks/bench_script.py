"""The command line that every benchmark has."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench_frame import Figure, Options, Result
from bench_machine import commit, machine_facts
from bench_text import lines_of

__all__ = ["run_script"]


def run_script(row: str, about: str, measure: Callable[[Options], Sequence[Figure]]) -> None:
    """A benchmark's command line: measure, print, and write the result with ``--json``."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3, help="how often the ways take turns")
    parser.add_argument("--small", action="store_true", help="smallest sizes: a try")
    parser.add_argument("--json", type=Path, help="write the result to this file, too")
    told = parser.parse_args()
    if told.pairs < 1:
        parser.error("--pairs: at least 1")
    machine, begun = machine_facts(), time.time()
    figures = tuple(measure(Options(told.pairs, told.small)))
    result = Result(
        row,
        " ".join(line for line in about.splitlines() if line and not line.startswith("    ")),
        f"python tests/benchmarks/{Path(sys.argv[0]).name} --pairs {told.pairs}",
        told.pairs,
        told.small,
        round(time.time() - begun, 1),
        time.strftime("%Y-%m-%d"),
        commit(),
        machine,
        figures,
    )
    print("\n".join(lines_of(result)))
    if told.json:
        result.write(told.json)
