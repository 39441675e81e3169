"""All benchmarks beside what a user would pick instead, one script a row, and their table.

    python tests/benchmarks/bench.py [--full] [--rows cold_start,epochs] [--pairs 3] [--again]

Each row's result is written to ``results/reference/benchmarks/ROW.json`` once it is there, and the
table ``results/reference/benchmarks.md`` anew after each. A row that was measured on this machine,
with as many pairs, is skipped: what was interrupted goes on. ``--again`` measures it anew, and
``--table-only`` nothing.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_frame import Result
from bench_machine import Machine, machine_facts
from bench_rows import ROWS, Row
from bench_text import table

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / "results" / "reference" / "benchmarks"
TRIES = HERE.parents[1] / "results" / "benchmark-tries"


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        rows: which benchmarks.
        pairs: how often the ways of each take turns.
        small: whether to try the smallest sizes.
        again: whether to measure what was measured already.
        folder: of the results.
    """

    rows: Sequence[Row]
    pairs: int
    small: bool
    again: bool
    folder: Path

    def due(self, machine: Machine) -> list[Row]:
        """The rows that are yet to be measured on ``machine``."""
        return [row for row in self.rows if self.again or not self._done(row, machine)]

    def _done(self, row: Row, machine: Machine) -> bool:
        result = stored(self.folder, row)
        return (
            result is not None
            and result.machine == machine
            and result.pairs >= self.pairs
            and (self.small or not result.small)
        )


def stored(folder: Path, row: Row) -> Result | None:
    """What was measured of ``row``, if anything was."""
    path = folder / f"{row.name}.json"
    return Result.read(path) if path.exists() else None


def write_table(folder: Path) -> Path:
    """The table of all results in ``folder``, written beside it; its path."""
    found = {row.name: stored(folder, row) for row in ROWS}
    without = [name for name, result in found.items() if result is None]
    path = folder.with_suffix(".md")
    path.write_text(table([result for result in found.values() if result], without))
    return path


def measured(row: Row, plan: Plan) -> str:
    """Run ``row``'s script, and keep its result; why there is none, or nothing."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        answer = Path(scratch) / "result.json"
        command = [sys.executable, str(HERE / row.script), "--json", str(answer)]
        command += ["--pairs", str(plan.pairs), *(["--small"] if plan.small else [])]
        threads = {"OMP_NUM_THREADS": str(row.threads), "MKL_NUM_THREADS": str(row.threads)}
        # A group of its own, so that what it started ends with it.
        running = subprocess.Popen(command, env={**os.environ, **threads}, process_group=0)
        try:
            code = running.wait(60 * row.limit_min)
        except BaseException as error:
            _end(running)
            if isinstance(error, subprocess.TimeoutExpired):
                return f"not over after {row.limit_min} minutes"
            raise
        if code or not answer.exists():
            return f"its script ended with exit code {code}"
        Result.read(answer).write(plan.folder / f"{row.name}.json")
    return ""


def _end(running: "subprocess.Popen[bytes]") -> None:
    """End a script and what it started: first by a word, so that Ray can go as it does."""
    for word, patience_s in ((signal.SIGTERM, 20), (signal.SIGKILL, 20)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, word)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(patience_s)
            return


def _asked_to_end(number: int, frame: object) -> None:
    sys.exit(128 + number)


def main() -> None:
    """Measure what is due; exit code 1 if a row failed, after all others were measured."""
    plan, only_table = _plan()
    signal.signal(signal.SIGTERM, _asked_to_end)
    if only_table:
        print(f"wrote {write_table(plan.folder)}")
        return
    due, failed, begun = plan.due(machine_facts()), [], time.time()
    for row in plan.rows:
        if row not in due:
            print(f"{row.name}: measured already; --again measures it anew", flush=True)
            continue
        print(f"{row.name}: {row.script} ...", flush=True)
        if why := measured(row, plan):
            failed.append(row.name)
            print(f"{row.name}: {why}", file=sys.stderr, flush=True)
        path = write_table(plan.folder)
    if due:
        print(f"{len(due)} rows in {(time.time() - begun) / 60:.1f} minutes; the table is {path}")
    if failed:
        sys.exit(f"without a result: {', '.join(failed)}")


def _plan() -> tuple[Plan, bool]:
    names = {row.name: row for row in ROWS}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the dear rows, too")
    parser.add_argument("--rows", type=lambda text: text.split(","), help=f"of {','.join(names)}")
    parser.add_argument("--pairs", type=int, default=3, help="how often the ways take turns")
    parser.add_argument("--again", action="store_true", help="measure finished rows anew")
    parser.add_argument("--small", action="store_true", help="smallest sizes: a try")
    parser.add_argument(
        "--table-only", action="store_true", help="write the table of what is there"
    )
    parser.add_argument("--folder", type=Path, help="of the results")
    told = parser.parse_args()
    if unknown := set(told.rows or ()) - set(names):
        parser.error(f"--rows: no such row: {', '.join(sorted(unknown))}")
    if told.pairs < 1:
        parser.error("--pairs: at least 1")
    chosen = [names[name] for name in told.rows] if told.rows else ROWS
    rows = [row for row in chosen if told.full or told.rows or row.cheap]
    folder = told.folder or (TRIES if told.small else FOLDER)
    return Plan(rows, told.pairs, told.small, told.again, folder.absolute()), told.table_only


if __name__ == "__main__":
    main()
