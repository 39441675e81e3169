"""Small searches submitted to a warm head whose slots are taken: what each submission costs.

A long search has both CPUs of a head, and trains on one thread. The others are submitted at once,
and one after another: each ``raysearch submit`` is a process of its own, which returns when the
cluster has accepted the search. A search's log tells whom it waits for. Fifty are wanted; as each
waiting one is a process on the head, fewer are submitted where memory would not hold them.

    python tests/benchmarks/queued_searches.py [--pairs 3] [--json FILE]
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from bench_frame import Figure, Options, alternate, at_most, figure, ratio
from bench_script import run_script

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in (".", "ray")]

from own_head import own_head
from small_command import SMALL

WANTED, SMALL_NUMBER = 50, 2
# Of a waiting search and of Ray's process that looks after it; the rest of memory stays free.
GB_A_SEARCH, PART_OF_MEMORY = 0.6, 0.8
QUEUED = [*SMALL, "--trials=2", "--cpus-per-worker=2", "--slots=1"]
LONG = [*QUEUED, "--trials=1", "--max-epochs=10000", "--set=search.scheduler=none"]
WAITS = "waiting in the queue"
LIMIT_S = 900


@dataclass(frozen=True)
class Submitted:
    """What the submissions of one way cost.

    Attributes:
        seconds: from the first command to the last one's return.
        told_s: seconds from the last one's return until its log said whom it waits for.
        gigabytes: of memory that each waiting search takes.
    """

    seconds: float
    told_s: float
    gigabytes: float


class Head:
    """A head whose CPUs a long search has.

    Args:
        environment: in which commands find it.
        storage: of all runs.
    """

    def __init__(self, environment: Mapping[str, str], storage: Path) -> None:
        self._environment, self._storage = environment, storage
        self._submit(LONG, ["long"])
        ledger = storage / "long" / "trials.jsonl"
        _wait(lambda: ledger.exists() and '"event":"epoch"' in ledger.read_text().replace(" ", ""))

    def at_once(self, names: Sequence[str]) -> Submitted:
        """Submit all side by side, and stop them when the last one has been told."""
        return self._measured(names, lambda: self._submit(QUEUED, names))

    def in_turn(self, names: Sequence[str]) -> Submitted:
        """Submit each when the one before was accepted; stop them likewise."""
        return self._measured(names, lambda: [self._submit(QUEUED, [name]) for name in names][-1])

    def _measured(self, names: Sequence[str], submit: Callable[[], str]) -> Submitted:
        free, begun = psutil.virtual_memory().available, time.perf_counter()
        last = submit()
        returned = time.perf_counter()
        _wait(lambda: any(WAITS in log.read_text() for log in self._logs(last)))
        told = time.perf_counter()
        taken = (free - psutil.virtual_memory().available) / len(names)
        self._command("stop", {name: [name] for name in names})
        return Submitted(returned - begun, told - returned, taken / 2**30)

    def _logs(self, name: str) -> list[Path]:
        return list((self._storage / name / "jobs").glob("*.log"))

    def _submit(self, options: Sequence[str], names: Sequence[str]) -> str:
        """Submit all side by side; the one that returned last."""
        told = [*options, f"--storage={self._storage}", f"--wait={LIMIT_S}"]
        return self._command("submit", {name: [*told, f"--name={name}"] for name in names})

    def _command(self, verb: str, arguments: Mapping[str, Sequence[str]]) -> str:
        """Run the verb for all names side by side; the name whose process ended last."""
        running = {
            name: subprocess.Popen(
                [sys.executable, "-m", "raysearch", verb, *told],
                env=dict(self._environment),
                stdout=subprocess.DEVNULL,
                cwd="/",
            )
            for name, told in arguments.items()
        }
        ended: list[str] = []
        while len(ended) < len(running):
            ended += [n for n, p in running.items() if n not in ended and p.poll() is not None]
            time.sleep(0.02)
        if failed := [name for name, process in running.items() if process.returncode]:
            sys.exit(f"raysearch {verb}: failed for {', '.join(failed)}")
        return ended[-1]


def measure(options: Options) -> list[Figure]:
    """All at once and one after another, in turn, on one head."""
    number = SMALL_NUMBER if options.small else _number()
    with tempfile.TemporaryDirectory(prefix="queued-") as scratch:
        storage = Path(scratch) / "storage"
        with own_head(Path(scratch)) as environment:
            head = Head(environment, storage)
            found = alternate(
                {
                    "at once": lambda pair: head.at_once(_names(f"once-{pair}", number)),
                    "in turn": lambda pair: head.in_turn(_names(f"turn-{pair}", number)),
                },
                options.pairs,
            )
    once, turn = found["at once"], found["in turn"]
    seconds = {way: [one.seconds for one in each] for way, each in found.items()}
    return [
        figure(
            "a submission, one after another", "s", [s / number for s in seconds["in turn"]],
            at_most(2),
        ),
        figure(
            f"a submission, {number} at once", "s", [s / number for s in seconds["at once"]],
            at_most(2),
        ),
        ratio("at once, of one after another's time", seconds["at once"], seconds["in turn"], None),
        figure(
            "the last is told whom it waits for, at once", "s", [one.told_s for one in once],
            at_most(2),
        ),
        figure(
            "the last is told, one after another", "s", [one.told_s for one in turn], at_most(2)
        ),
        figure("memory of a waiting search", "GB", [one.gigabytes for one in turn]),
    ]  # fmt: skip


def _number() -> int:
    room = PART_OF_MEMORY * psutil.virtual_memory().available / 2**30
    return max(1, min(WANTED, int(room / GB_A_SEARCH)))


def _names(prefix: str, number: int) -> list[str]:
    return [f"{prefix}-{one}" for one in range(number)]


def _wait(known: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not known():
        if time.monotonic() > deadline:
            sys.exit(f"not there after {LIMIT_S} s")
        time.sleep(0.05)


if __name__ == "__main__":
    run_script("queue", __doc__, measure)
