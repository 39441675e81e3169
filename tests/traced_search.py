"""What one trial, and one epoch of it, go through: noted in a real search on a local Ray.

One slot trains one trial after the other, and every process of the search notes its calls
(``call_trace.py``): the driver, Tune's actor, the slot's host and its rank. A trial's calls are
those between the ends of two trials, from its proposal to its last word; an epoch's are those
between the ledger's lines of two epochs of a trial. The first trials are left out, as they meet
what starts up, and only what is called in every one of the spans counts.

On the path are those that handle the trial's order or a report of it on their way from the
conductor to the rank and back (``GOODS``): a function that is given one, returns one or is returned
one, the class that such a method is written in, and the goods themselves. Whoever follows a trial
has to know them; the targets are for these. A base class counts beside the class that derives from
it. What a trial is before, a proposal, and after, lines of a ledger and a record, is at work.

At work are all of which anything runs on the trial's behalf: besides these the settings, the
sampler, the stop rule, the record, and what computes (models, features, training, streaming and so
on), which is told apart. A class is at work if a method runs that is written in its own body, or if
it is a dataclass and is made. What the driver's other threads do, such as keeping the lease, is not
counted, as no trial waits for it; nor are lambdas.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from call_trace import FOLDER, SUFFIX

from raysearch.run_folder import RunFolder

__all__ = ["Called", "Trace", "traced_search"]

TESTS = Path(__file__).parent
# A trial's order and its reports, as they go from the driver to the rank and back.
GOODS = ("Assignment", "TrialTask", "BookedTrial", "Command", "Outcome", "EpochReport")
HOOK = f"import call_trace\ncall_trace.begin('raysearch', {GOODS})\n"
COMPUTES = frozenset({"models", "features", "training", "streaming", "corpora", "protocols"})
# A process is known by a function that it alone calls.
PROCESSES = {
    "driver": "raysearch.tuning.tuner.run_search",
    "Tune's actor": "raysearch.tuning.trial_proxy.TrialProxy.step",
    "host": "raysearch.workers.host.WorkerGroupHost.__init__",
    "rank": "raysearch.workers.worker_loop.serve_trials",
}
SETTINGS = {
    "search__slots": 1,
    "search__trials": 6,
    "search__published_first": False,
    "search__grace_epochs": 3,  # no trial pauses before its end
    "training__epochs": 3,
}
# What the first trials call is called once, or is called later than it would be.
NUM_SKIPPED = 2

Names = Mapping[str, frozenset[str]]
Span = tuple[float, float]


@dataclass(frozen=True)
class Called:
    """What was called, by process: dotted names of classes or functions.

    Attributes:
        path: those that handle the order or a report.
        work: all.
    """

    path: Names
    work: Names

    def counts(self, kind: str, of: str) -> dict[str, int]:
        """Count over all processes."""
        path, work = (frozenset().union(*names.values()) for names in (self.path, self.work))
        computing = sum(name.split(".")[1] in COMPUTES for name in work)
        return {
            f"{kind} on the path of {of}": len(path),
            f"{kind} at work in it": len(work) - computing,
            f"{kind} that compute there": computing,
        }

    def lines(self, kind: str) -> list[str]:
        """List the path, by process."""
        return [
            f"{process}: {kind} {name.removeprefix('raysearch.')}"
            for process, names in self.path.items()
            for name in sorted(names)
        ]


@dataclass(frozen=True)
class Trace:
    """What was called in every trial, and in every epoch.

    Attributes:
        classes: of a trial.
        functions: of an epoch.
    """

    classes: Called
    functions: Called

    def counts(self) -> dict[str, int]:
        """Count both."""
        return {
            **self.classes.counts("classes", "a trial"),
            **self.functions.counts("functions", "an epoch"),
        }

    def lines(self) -> list[str]:
        """List the paths, by process."""
        return [*self.classes.lines("class"), *self.functions.lines("function")]


@dataclass(frozen=True)
class _Call:
    time: float
    in_main: bool
    owner: str
    function: str
    handles: bool


def traced_search() -> Trace:
    """Search, and read what was called.

    Raises:
        CalledProcessError: the search failed.
    """
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
        return _read(RunFolder(storage / "traced"), hooks)


def _read(run: RunFolder, folder: Path) -> Trace:
    events = run.events()
    ends = [event.time for event in events if event.event == "completed"]
    trials = list(pairwise(ends[NUM_SKIPPED - 1 :]))
    epochs: dict[int, list[float]] = {}
    for event in events:
        if event.event == "epoch" and event.number >= NUM_SKIPPED:
            epochs.setdefault(event.number, []).append(event.time)
    between = [span for times in epochs.values() for span in pairwise(times)]
    assert min(len(trials), len(between)) > 1, f"only {len(ends)} trials ended"
    calls = _calls(folder)
    return Trace(
        _called(calls, trials, lambda call: call.owner),
        _called(calls, between, lambda call: call.function),
    )


def _called(
    calls: Mapping[str, Sequence[_Call]], spans: Sequence[Span], name_of: Callable[[_Call], str]
) -> Called:
    path, work = {}, {}
    for process, noted in calls.items():
        path[process] = _in_each(spans, [(c.time, name_of(c)) for c in noted if c.handles])
        work[process] = _in_each(spans, [(c.time, name_of(c)) for c in noted])
    return Called(path, work)


def _calls(folder: Path) -> dict[str, list[_Call]]:
    """The calls that count, by process.

    Raises:
        AssertionError: a kind of process has noted nothing.
    """
    found: dict[str, list[_Call]] = {process: [] for process in PROCESSES}
    for file in folder.glob(f"*{SUFFIX}"):
        calls = [_call(line) for line in file.read_text(encoding="utf-8").splitlines()]
        called = {call.function for call in calls}
        for process, function in PROCESSES.items():
            if function in called:
                found[process] += [c for c in calls if c.in_main or process != "driver"]
    silent = [process for process, calls in found.items() if not calls]
    assert not silent, f"nothing is known of: {', '.join(silent)}"
    return found


def _call(line: str) -> _Call:
    when, thread, owner, function, handles = line.split("\t")
    return _Call(float(when), thread == "main", owner, function, bool(handles))


def _in_each(spans: Sequence[Span], noted: Sequence[tuple[float, str]]) -> frozenset[str]:
    found = [
        {name for when, name in noted if name and begin <= when <= end} for begin, end in spans
    ]
    return frozenset(set.intersection(*found))


def _search(storage: Path) -> None:
    from tiny_search import search, small_spec

    from raysearch.ray_cluster.session import cluster_session

    with cluster_session(None, storage / "logs", num_cpus=2) as cluster:
        search(small_spec(**SETTINGS), storage, "traced", cluster)


if __name__ == "__main__":
    _search(Path(sys.argv[1]))
