"""The soak itself, inside its world: search, faults, verdict."""

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import processes
from agreed import EPOCHS, REFUSED, SAYS
from injections import Injection, Injector
from memory import Sample, Sampler, growth
from stage import NAME, Search, Stage
from verdict import Check, check_faults, check_memory, check_trials, statuses

from raysearch.ledger import TERMINAL, Event, read
from raysearch.storage.objects import ObjectStore
from raysearch.storage.segments import fetch_ledger
from raysearch.trial_records import TrialRecord

__all__ = ["soak"]

POLL_S, GOODBYE_S, SAY_EVERY_S = 0.5, 120.0, 60.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is left to judge when all is over.

    Attributes:
        code: how the driver ended.
        wall_s: since the soak began.
        printed: by the driver.
        events, same: the store's ledger, and whether the driver's own says so, too.
        injections, hung: what was done, and of the ranks that were stopped those that still are.
        samples: of memory.
        left: processes of the search that outlived it.
    """

    code: int
    wall_s: float
    printed: str
    events: Sequence[Event]
    same: bool
    injections: Sequence[Injection]
    hung: Sequence[int]
    samples: Sequence[Sample]
    left: Sequence[int]


def soak(options: argparse.Namespace) -> int:
    """Carry it out; 0 if the search came through."""
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    seen = _carry_out(options, out)
    checks = _judge(options, seen)
    found = statuses(seen.events)
    report = {
        "wall_s": seen.wall_s,
        "statuses": found,
        "checks": [asdict(check) for check in checks],
        "injections": [asdict(one) for one in seen.injections],
        "memory": [{"at": at, **held} for at, held in seen.samples],
    }
    (out / "soak.json").write_text(json.dumps(report, indent=1) + "\n")
    _show(checks, found, out)
    return int(any(check.good is False for check in checks))


def _carry_out(options: argparse.Namespace, out: Path) -> _Seen:
    """The search and what is done to it; what it prints goes to ``out`` even if this raises."""
    begun = time.monotonic()
    stage = Stage(options.inside)
    search = Search(stage, options.trials)
    sampler = Sampler(search.process.pid, begun)
    injector = Injector(stage, options.every, options.seed, begun)
    try:
        _watch(search, injector, options.trials, begun + options.minutes * 60)
        code, wall_s = search.end(GOODBYE_S), time.monotonic() - begun
        left = _left(GOODBYE_S)
    finally:
        sampler.close()
        shutil.copy(search.log, out / "search.log")
    events = _fetched(search, out)
    return _Seen(
        code,
        wall_s,
        search.log.read_text(),
        events,
        search.ledger.exists() and events == read(search.ledger),
        injector.injections,
        processes.stopped([one.hung for one in injector.injections if one.hung]),
        sampler.samples,
        left,
    )


def _judge(options: argparse.Namespace, seen: _Seen) -> list[Check]:
    least = max(1, options.trials // 25) if options.faults is None else options.faults
    took = f"exit code {seen.code} after {seen.wall_s / 60:.1f} min"
    grown = {name: growth(seen.samples, name) for name in ("driver", "daemon", "all")}
    return [
        Check("the search ended well", seen.code == 0, took),
        *check_trials(seen.events, options.trials, EPOCHS, _refused, SAYS),
        Check("the store's ledger is the driver's", seen.same, f"{len(seen.events)} events"),
        *check_faults(seen.injections, least, seen.hung),
        *check_memory(grown),
        Check("nothing of it is left on the cluster", not seen.left, f"{len(seen.left)} processes"),
        Check("no traceback", "Traceback" not in seen.printed, "in what it printed"),
    ]


def _watch(search: Search, injector: Injector, trials: int, until: float) -> None:
    """Inject until all trials have ended; return when the driver has, or its time is over."""
    said = time.monotonic()
    while not search.over and time.monotonic() < until:
        events = read(search.ledger) if search.ledger.exists() else []
        ended = sum(event.event in TERMINAL for event in events)
        if not ended:
            injector.wait()  # the corpus and its features are made first
        elif ended < trials and (done := injector.poll(ended)):
            print(f"{done.begun:6.0f} s  {ended:3d} trials  {done.kind}: {done.what}")
        if time.monotonic() - said > SAY_EVERY_S:
            said = time.monotonic()
            print(f"{ended} of {trials} trials have ended; paused ones end with the search")
        time.sleep(POLL_S)


def _left(patience_s: float) -> list[int]:
    """What of the search still runs; Ray needs a moment to end a driver's actors."""
    until = time.monotonic() + patience_s
    while (left := processes.left_of_search()) and time.monotonic() < until:
        time.sleep(POLL_S)
    return left


def _fetched(search: Search, out: Path) -> list[Event]:
    """What the store says; kept beside the report."""
    path = out / "trials.jsonl"
    path.unlink(missing_ok=True)
    fetch_ledger(ObjectStore(search.url), NAME, path)
    shutil.rmtree(path.parent / ".segments", ignore_errors=True)
    return read(path) if path.exists() else []


def _refused(record: TrialRecord) -> bool:
    return record.config.get("model.dropout") == REFUSED


def _show(checks: Sequence[Check], found: dict[str, int], out: Path) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = {True: "ok", False: "NOT SO", None: "-"}[check.good]
        print(f"{mark:7}{check.name:{width}}  {check.seen}")
    print(", ".join(f"{count} {status}" for status, count in sorted(found.items())))
    print(f"written to {out}: soak.json, trials.jsonl, search.log")
