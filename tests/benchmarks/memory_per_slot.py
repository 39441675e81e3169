"""What each slot of a search costs in memory beside its training worker, process by process.

Searches on the demo corpus as the user runs them, of one slot and of more, up to 16, as the cores
allow; processes as the system sees them once every slot trains. RSS counts a page for each process
that has it, PSS (proportional) shares it between them: the sum of PSS is what the machine pays, and
what the figures are of. Then a long search on all cores, whose driver is to stay as large as it was
after the first tenth of its trials.

    python tests/benchmarks/memory_per_slot.py [--pairs 1] [--json FILE]
    PYTHONPATH=OTHER/CHECKOUT python tests/benchmarks/memory_per_slot.py  # of another commit
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from bench_frame import Figure, Options, at_most, figure
from bench_script import run_script

SETTINGS = {
    "features.mel.n_mels": 40,
    "features.mel.hop_ms": 20,
    "model.stem_stride": 4,
    "search.scheduler": "none",
    "search.inner_folds": 1,
    "search.final": "single",
}
WORKER = "RayTrainWorker"
# One each a search or a machine, however many slots there are.
SHARED = ("NodeCache", "_StatsActor", "_AutoscalingCoordinatorActor", "SlotBroker", "load features")
MOST_SLOTS, TRIALS = 16, 500
MB, GB = 1e6, 1e9


@dataclass(frozen=True)
class Reading:
    """One process' name, and bytes of RSS and PSS."""

    name: str
    rss: int
    pss: int


@dataclass
class Memory:
    """What a search's processes held.

    Attributes:
        slots: of the search.
        workers: the last reading of each of Ray's workers while all slots trained.
        driver: the driver's PSS, with the trials that had ended by then.
    """

    slots: int
    workers: dict[int, Reading] = field(default_factory=dict)
    driver: list[tuple[int, int]] = field(default_factory=list)

    @property
    def beside(self) -> float:
        """GB of PSS a slot, beside its training worker and what all slots share."""
        return sum(one.pss for one in self.workers.values() if _of_slot(one)) / self.slots / GB

    @property
    def whole(self) -> float:
        """GB of PSS of all workers and the driver."""
        last = self.driver[-1][1] if self.driver else 0
        return (sum(one.pss for one in self.workers.values()) + last) / GB

    def driver_growth(self) -> float:
        """The driver's PSS at the end, of what it was after a tenth of the trials."""
        ended, last = self.driver[-1]
        early = next(pss for trials, pss in self.driver if trials >= ended / 10)
        return last / early


def measure(options: Options) -> list[Figure]:
    """Each pair: a short search of each number of slots, then the long one."""
    cores = min(MOST_SLOTS, len(os.sched_getaffinity(0)))
    counts = [1] if options.small else [n for n in (1, 2, 4, 8, 16) if n <= cores]
    trials = 8 if options.small else TRIALS
    found: dict[int, list[Memory]] = {slots: [] for slots in counts}
    long: list[Memory] = []
    for _ in range(options.pairs):
        for slots in counts:
            found[slots].append(measured(slots, 2 * slots, epochs=3))
        long.append(measured(cores, trials, epochs=1))
    for slots, runs in found.items():
        print(f"{_slots(slots)}, process by process\n\n{table(runs[-1])}")
    return [
        *(_of_slots(slots, [run.beside for run in runs]) for slots, runs in found.items()),
        *(
            figure(f"{_slots(slots)}: all of it", "GB", [run.whole for run in runs])
            for slots, runs in found.items()
        ),
        figure(
            f"driver's growth over {trials} trials",
            "x",
            [run.driver_growth() for run in long],
            at_most(1.1),
        ),
        figure("driver", "GB", [run.driver[-1][1] / GB for run in long]),
    ]


def _of_slots(slots: int, beside: Sequence[float]) -> Figure:
    return figure(f"{_slots(slots)}: each, beside its worker", "GB", beside, at_most(0.45))


def _slots(number: int) -> str:
    return "1 slot" if number == 1 else f"{number} slots"


def measured(slots: int, trials: int, *, epochs: int) -> Memory:
    """A search's memory, looked at once a second."""
    memory = Memory(slots)
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        running = _search(Path(folder), slots, trials, epochs)
        tree, ledger = psutil.Process(running.pid), Path(folder) / "memory" / "trials.jsonl"
        while running.poll() is None:
            trained, ended = _progress(ledger)
            if trained >= slots:
                memory.workers.update(_workers(tree))
                memory.driver += [(ended, pss) for pss in _pss(tree)]
            time.sleep(1)
        if running.returncode:
            sys.exit(f"the search ended with exit code {running.returncode}")
    return memory


def table(memory: Memory) -> str:
    """The processes by name, and what they amount to a slot."""
    by_name = defaultdict(list)
    for one in memory.workers.values():
        by_name[one.name].append(one)
    lines = ["| process | how many | RSS, MB each | PSS, MB each |", "|---|---:|---:|---:|"]
    for name, found in sorted(by_name.items(), key=lambda item: -sum(x.pss for x in item[1])):
        rss = statistics.fmean(one.rss for one in found) / MB
        pss = statistics.fmean(one.pss for one in found) / MB
        lines.append(f"| {name} | {len(found)} | {rss:.0f} | {pss:.0f} |")
    return "\n".join(lines) + "\n"


def _of_slot(one: Reading) -> bool:
    return one.name != WORKER and not one.name.startswith(SHARED)


def _search(storage: Path, slots: int, trials: int, epochs: int) -> "subprocess.Popen[bytes]":
    """The search, as a command."""
    command = [sys.executable, "-m", "raysearch.run", "--space", "emohrnet", "--name", "memory"]
    command += ["--storage", str(storage), "--trials", str(trials), "--max-epochs", str(epochs)]
    command += ["--slots", str(slots), "--quiet"]
    command += [f"--set={key}={value}" for key, value in SETTINGS.items()]
    return subprocess.Popen(command, stdout=sys.stderr)


def _progress(ledger: Path) -> tuple[int, int]:
    """How many slots have reported an epoch, and how many trials have ended."""
    if not ledger.exists():
        return 0, 0
    lines = [json.loads(line) for line in ledger.read_text().splitlines() if line.endswith("}")]
    slots = {line["slot"] for line in lines if line["event"] == "epoch"}
    return len(slots), sum(line["event"] == "completed" for line in lines)


def _workers(of: psutil.Process) -> Iterator[tuple[int, Reading]]:
    """Ray's worker processes below ``of``, by their ids."""
    for process in of.children(recursive=True):
        try:
            title = process.cmdline()[0] if process.cmdline() else ""
            if title.startswith("ray::") and "IDLE" not in title and "Agent" not in title:
                memory = process.memory_full_info()
                name = title.removeprefix("ray::").partition(".")[0]
                yield process.pid, Reading(name, memory.rss, memory.pss)
        except psutil.Error:
            continue  # it has just ended


def _pss(process: psutil.Process) -> Iterator[int]:
    """Its PSS, if it is still there."""
    try:
        yield process.memory_full_info().pss
    except psutil.Error:
        return


if __name__ == "__main__":
    run_script("memory", __doc__, measure)
