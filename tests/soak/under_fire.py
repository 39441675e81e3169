"""The soak itself, inside its world: search, faults, verdict."""

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import processes
from agreed import EPOCHS, REFUSED, SAYS
from injections import Injector
from memory import Sampler, growth
from stage import NAME, Search, Stage
from verdict import Check, check_faults, check_memory, check_trials, statuses

from raysearch.ledger import TERMINAL, Event, read
from raysearch.storage.objects import ObjectStore
from raysearch.storage.segments import fetch_ledger
from raysearch.trials import TrialRecord

__all__ = ["soak"]

POLL_S, GOODBYE_S, SAY_EVERY_S = 0.5, 120.0, 60.0


def soak(options: argparse.Namespace) -> int:
    """Carry it out; 0 if the search came through."""
    begun = time.monotonic()
    stage = Stage(options.inside)
    search = Search(stage, options.trials)
    sampler = Sampler(search.process.pid, begun)
    injector = Injector(stage, options.every, options.seed, begun)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        _watch(search, injector, options.trials, begun + options.minutes * 60)
        code = search.end(GOODBYE_S)
        wall_s = time.monotonic() - begun
        left = _left(GOODBYE_S)
    finally:
        sampler.close()
        shutil.copy(search.log, options.out / "search.log")
    events = _fetched(search, options.out)
    hung = [one.hung for one in injector.injections if one.hung]
    least = options.faults if options.faults is not None else max(1, options.trials // 20)
    grown = {name: growth(sampler.samples, name) for name in ("driver", "daemon", "all")}
    checks = [
        Check("the search ended well", code == 0, f"exit code {code} after {wall_s / 60:.1f} min"),
        *check_trials(events, options.trials, EPOCHS, _refused, SAYS),
        Check("the store's ledger is the driver's", _same(events, search), f"{len(events)} events"),
        *check_faults(injector.injections, least, processes.stopped(hung)),
        *check_memory(grown),
        Check("nothing of it is left on the cluster", not left, f"{len(left)} processes"),
        Check("no traceback", "Traceback" not in search.log.read_text(), "in what it printed"),
    ]
    report = {
        "wall_s": wall_s,
        "statuses": statuses(events),
        "checks": [asdict(check) for check in checks],
        "injections": [asdict(one) for one in injector.injections],
        "memory": [{"at": at, **found} for at, found in sampler.samples],
    }
    (options.out / "soak.json").write_text(json.dumps(report, indent=1) + "\n")
    _show(checks, statuses(events), options.out)
    return int(any(check.good is False for check in checks))


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
            print(f"{ended} of {trials} trials have ended")
        time.sleep(POLL_S)


def _left(patience_s: float) -> list[int]:
    """What of the search still runs; Ray needs a moment to end a driver's actors."""
    until = time.monotonic() + patience_s
    while (left := processes.left_of_search()) and time.monotonic() < until:
        time.sleep(POLL_S)
    return left


def _fetched(search: Search, out: Path) -> list[Event]:
    """What the store says; kept beside the report."""
    path = out.absolute() / "trials.jsonl"
    path.unlink(missing_ok=True)
    fetch_ledger(ObjectStore(search.url), NAME, path)
    shutil.rmtree(path.parent / ".segments", ignore_errors=True)
    return read(path) if path.exists() else []


def _same(events: Sequence[Event], search: Search) -> bool:
    return search.ledger.exists() and list(events) == read(search.ledger)


def _refused(record: TrialRecord) -> bool:
    return record.config.get("model.dropout") == REFUSED


def _show(checks: Sequence[Check], found: dict[str, int], out: Path) -> None:
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = {True: "ok", False: "NOT SO", None: "-"}[check.good]
        print(f"{mark:7}{check.name:{width}}  {check.seen}")
    print(", ".join(f"{count} {status}" for status, count in sorted(found.items())))
    print(f"written to {out}: soak.json, trials.jsonl, search.log")
