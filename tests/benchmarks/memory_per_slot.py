"""What each slot of a search costs in memory beside its training worker, process by process.

A small search on the demo corpus with two slots, as the user runs it, and its processes as the
system sees them once every slot trains. RSS counts a page for each process that has it, PSS
(proportional) shares it between them: the sum of PSS is what the machine pays.

    python tests/benchmarks/memory_per_slot.py [--slots 2] [--output FILE]

It asks nothing of the package but its command, so another commit is measured by its checkout:

    PYTHONPATH=OTHER/CHECKOUT python tests/benchmarks/memory_per_slot.py
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil

SETTINGS = {
    "features.mel.n_mels": 40,
    "features.mel.hop_ms": 20,
    "search.scheduler": "none",
    "search.inner_folds": 1,
    "search.final": "single",
}
WORKER = "RayTrainWorker"
# One each a search or a machine, however many slots there are.
SHARED = ("NodeCache", "_StatsActor", "_AutoscalingCoordinatorActor", "SlotBroker", "load features")
MB = 1e6


def search(storage: Path, slots: int, trials: int) -> subprocess.Popen[bytes]:
    """The search, as a command."""
    command = [sys.executable, "-m", "raysearch.run", "--space", "emohrnet", "--name", "memory"]
    command += ["--storage", str(storage), "--trials", str(trials), "--max-epochs", "3"]
    command += ["--slots", str(slots), *(f"--set={k}={v}" for k, v in SETTINGS.items())]
    return subprocess.Popen(command)


def slots_that_trained(ledger: Path) -> int:
    """How many slots have reported an epoch."""
    if not ledger.exists():
        return 0
    lines = [json.loads(line) for line in ledger.read_text().splitlines() if line.endswith("}")]
    return len({line["slot"] for line in lines if line["event"] == "epoch"})


def actors(of: psutil.Process) -> Iterator[tuple[int, str, float, float]]:
    """Ray's worker processes below ``of``: id, name, and MB of RSS and PSS."""
    for process in of.children(recursive=True):
        try:
            title = process.cmdline()[0] if process.cmdline() else ""
            if title.startswith("ray::") and "IDLE" not in title and "Agent" not in title:
                memory = process.memory_full_info()
                name = title.removeprefix("ray::").partition(".")[0]
                yield process.pid, name, memory.rss / MB, memory.pss / MB
        except psutil.Error:
            continue  # it has just ended


def measured(storage: Path, slots: int, trials: int) -> dict[int, tuple[str, float, float]]:
    """Of each process that was there while all slots trained, its last reading."""
    readings: dict[int, tuple[str, float, float]] = {}
    running = search(storage, slots, trials)
    tree = psutil.Process(running.pid)
    while running.poll() is None:
        if slots_that_trained(storage / "memory" / "trials.jsonl") >= slots:
            for pid, *reading in actors(tree):
                readings[pid] = (reading[0], reading[1], reading[2])
        time.sleep(1)
    if running.returncode:
        sys.exit(f"the search ended with exit code {running.returncode}")
    return readings


def table(readings: dict[int, tuple[str, float, float]], slots: int) -> str:
    """The processes by name, and what they amount to a slot."""
    by_name = defaultdict(list)
    for name, rss, pss in readings.values():
        by_name[name].append((rss, pss))
    lines = ["| process | how many | RSS, MB each | PSS, MB each |", "|---|---:|---:|---:|"]
    beside = 0.0
    for name, found in sorted(by_name.items(), key=lambda item: -sum(p for _, p in item[1])):
        rss, pss = (sum(column) / len(found) for column in zip(*found, strict=True))
        lines.append(f"| {name} | {len(found)} | {rss:.0f} | {pss:.0f} |")
        if name != WORKER and not name.startswith(SHARED):
            beside += sum(pss for _, pss in found) / slots
    lines += ["", f"A slot, beside its training worker: {beside:.0f} MB of PSS."]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        readings = measured(Path(folder), arguments.slots, arguments.trials)
    text = table(readings, arguments.slots)
    print(text)
    if arguments.output:
        arguments.output.write_text(f"# Memory a slot\n\n{text}")


if __name__ == "__main__":
    main()
