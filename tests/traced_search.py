"""A real search on a local Ray, whose every process notes which functions of raysearch it calls.

One slot trains one trial after the other, so what is called between the ends of two trials is one
trial's path, from its proposal to its last word, in the driver, Tune's proxy, the slot's host and
its worker; and what is called between two epochs of a trial is one epoch's. Only what is called in
each of these spans counts: some threads of the driver look around now and then.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from call_trace import FOLDER

__all__ = ["Trace", "traced_search"]

TESTS = Path(__file__).parent
HOOK = "import call_trace\ncall_trace.begin()\n"
# What computes; all else hands on.
COMPUTES = ("models", "features", "training", "streaming", "corpora", "protocols")
SETTINGS = {
    "search__slots": 1,
    "search__trials": 6,
    "search__scheduler": "promote",
    "search__grace_epochs": 4,  # no trial pauses before its end
    "search__published_first": False,
    "search__checkpoint_every_s": 1e6,
    "training__epochs": 4,
}

Call = tuple[float, str, str, str]
Span = tuple[float, float]


@dataclass(frozen=True)
class Trace:
    """What was called.

    Attributes:
        classes: dotted names of those on every trial's path.
        functions: dotted names of those of every epoch.
    """

    classes: frozenset[str]
    functions: frozenset[str]

    @staticmethod
    def own(names: Iterable[str]) -> list[str]:
        """Those of ``names`` that hand on what others compute."""
        return sorted(name for name in names if name.split(".")[1] not in COMPUTES)


def traced_search() -> Trace:
    """Search, and read what was called."""
    with tempfile.TemporaryDirectory(prefix="raysearch-trace-") as folder:
        storage, hooks = Path(folder) / "storage", Path(folder) / "hooks"
        storage.mkdir()
        hooks.mkdir()
        (hooks / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
        paths = [hooks, TESTS, TESTS / "ray", TESTS.parent]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            FOLDER: str(hooks),
        }
        subprocess.run([sys.executable, __file__, str(storage)], env=environment, check=True)
        return _read(storage, hooks)


def _read(storage: Path, calls: Path) -> Trace:
    from raysearch.run_folder import RunFolder

    events = RunFolder(storage / "traced").events()
    ends = [event.time for event in events if event.event == "completed"]
    epochs: dict[int, list[float]] = {}
    for event in events:
        if event.event == "epoch":
            epochs.setdefault(event.number, []).append(event.time)
    # The first trial is the only one that meets what starts up.
    trials = list(pairwise(ends[1:]))
    between = [span for number, times in epochs.items() if number for span in pairwise(times)]
    assert len(trials) > 1, f"only {len(ends)} trials ended"
    lines = [line for file in calls.glob("*.calls") for line in file.read_text().splitlines()]
    noted = [_call(line) for line in lines]
    classes = _in_each(trials, [(when, owner) for when, owner, _, _ in noted if owner])
    names = [(when, f"{module}.{name}") for when, _, module, name in noted]
    return Trace(classes, _in_each(between, names))


def _call(line: str) -> Call:
    when, owner, module, name = line.split("\t")
    return float(when), owner, module, name


def _in_each(spans: Sequence[Span], noted: Sequence[tuple[float, str]]) -> frozenset[str]:
    found = [{name for when, name in noted if begin <= when <= end} for begin, end in spans]
    return frozenset(set.intersection(*found))


def _search(storage: Path) -> None:
    from tiny_search import search, small_spec

    from raysearch.tuning.cluster_session import cluster_session

    with cluster_session(None, storage / "logs", num_cpus=2) as cluster:
        search(small_spec(**SETTINGS), storage, "traced", cluster)


if __name__ == "__main__":
    _search(Path(sys.argv[1]))
