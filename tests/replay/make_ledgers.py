"""Runs the searches of ``recorded_searches.py`` and keeps their ledgers, for the replay.

``python tests/replay/make_ledgers.py [NAME ...]`` from the repository's root; all of them take some
minutes on two cores. Only when searches are meant to go otherwise than before are they made anew.

Of each run are kept, in ``ledgers/NAME/``, its ``spec.yaml``, its ledger, and ``facts.json``: what
the conductor was told besides. The rows of training and validation, by which trials are named, are
the same for many runs and lie in ``ledgers/rows-FINGERPRINT.json``.

What is changed in them, so that nothing tells of the machine: times count from the first event, at
second 1000; the path of the speech encoder's weights is ``WEIGHTS``. A run that still holds a path
of this machine or its name is refused.
"""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "ray"), str(HERE.parent / "unit")]

import psutil  # noqa: E402
import ray  # noqa: E402
from recorded_searches import SEARCH, SEARCHES, SMALL, Search, Sitting  # noqa: E402
from stable_ties import stable_ties  # noqa: E402
from tiny_encoder import write_file  # noqa: E402
from tiny_search import search  # noqa: E402

from raysearch.config.identity import canonical_json  # noqa: E402
from raysearch.errors import SearchInterruptedError  # noqa: E402
from raysearch.ledger import Event  # noqa: E402
from raysearch.ray_cluster.session import ClusterSession, cluster_session  # noqa: E402
from raysearch.run_folder import RunFolder  # noqa: E402
from raysearch.spec import SearchSpec  # noqa: E402
from raysearch.steering import checked_command, leave_command  # noqa: E402
from raysearch.streaming.preparation import prepare_split  # noqa: E402
from raysearch.trial_records import Trials  # noqa: E402

LEDGERS = HERE / "ledgers"
FIRST_TIME = 1000.0
WEIGHTS = "WEIGHTS"
MAX_BYTES = 60_000


class MadeUpError(Exception):
    """What a driver dies of."""


class Mishap:
    """An observer that does harm, or asks for something, once, after a certain event."""

    def __init__(self, run: RunFolder, what: str, event: str, number: int) -> None:
        self._act: Callable[[], None] | None = getattr(self, f"_{what}")
        self._run, self._event, self._number = run, event, number

    def changed(self, trials: Trials, event: Event) -> None:
        """As the conductor tells it."""
        if self._act and (event.event, event.number) == (self._event, self._number):
            act, self._act = self._act, None
            act()

    def _crash(self) -> None:
        raise MadeUpError("a mistake of ours")

    def _signal(self) -> None:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        time.sleep(0.2)

    def _ask(self, **asked: object) -> None:
        trials = self._run.trials()
        command = checked_command(asked, self._run.spec(), trials)
        leave_command(self._run, replace(command, id=f"command-{len(trials.steered)}"))

    def _stop(self) -> None:
        self._ask(action="stop")

    def _stop_trial(self) -> None:
        self._ask(action="stop-trial", target=self._number)

    def _more(self) -> None:
        self._ask(action="more-trials", amount=3)

    def _try(self) -> None:
        self._ask(action="try", values={"training.learning_rate": 0.003})

    def _worker(self) -> None:
        children = psutil.Process().children(recursive=True)
        worker = next(p for p in children if "RayTrainWorker" in " ".join(p.cmdline()))
        worker.kill()

    def _host(self) -> None:
        ray.kill(
            ray.get_actor(next(name for name in ray.util.list_named_actors() if "-slot-" in name))
        )


def spec_of(one: Search, sitting: Sitting, weights: Path) -> SearchSpec:
    """The shipped space, with what the search and its sitting fix."""
    fields = SearchSpec.load(one.space).base.fields()
    fixed = {key: value for key, value in SMALL.items() if key in fields}
    if "features.ssl.weights" in fields:
        fixed["features.ssl.weights"] = str(weights)
    given = {**fixed, **SEARCH, **one.settings, **sitting.settings}
    return SearchSpec.load(one.space, list(given.items()))


def run(name: str, storage: Path, cluster: ClusterSession) -> tuple[RunFolder, list[SearchSpec]]:
    """Carry the search out, in all its sittings; its folder, and each sitting's settings."""
    one, weights = SEARCHES[name], write_file(storage / "encoder")
    specs = [spec_of(one, sitting, weights) for sitting in one.sittings]
    for i, (spec, sitting) in enumerate(zip(specs, one.sittings, strict=True)):
        mishaps = [Mishap(RunFolder(storage / name), *what) for what in sitting.befalls]
        try:
            search(spec, storage, name, cluster, observers=mishaps, resume=i > 0, say=print)
        except (MadeUpError, SearchInterruptedError) as error:
            print(f"{name}: sitting {i + 1} ended: {error}")
    return RunFolder(storage / name), specs


def keep(folder: RunFolder, specs: Sequence[SearchSpec], storage: Path) -> None:
    """Write what the replay needs of a run, scrubbed."""
    info, name = folder.info(), folder.root.name
    identity = prepare_split(specs[-1], storage).identity(specs[-1])
    rows = LEDGERS / f"rows-{info['data_fingerprint']}.json"
    rows.write_text(canonical_json(identity) + "\n", encoding="utf-8")
    first = folder.events()[0].time
    sittings = [
        {
            "fence": session["fence"],
            "outcome": session["outcome"],
            "ended": _since(first, session["ended"]),
            "budgets": _budgets(spec),
        }
        for session, spec in zip(info["sessions"], specs, strict=True)
    ]
    facts = {
        "rows": rows.name,
        "num_startup_trials": info["num_startup_trials"],
        "validation": info["validation"],
        "sittings": sittings,
    }
    target = LEDGERS / name
    target.mkdir(parents=True, exist_ok=True)
    written = {
        "spec.yaml": folder.spec_file.read_text(encoding="utf-8"),
        "facts.json": json.dumps(facts, indent=1) + "\n",
        "trials.jsonl": "".join(_line(event, first) for event in folder.events()),
    }
    for file, text in written.items():
        text = text.replace(str(storage / "encoder" / "encoder.pth"), WEIGHTS)
        _refuse_traces(f"{name}/{file}", text, storage)
        (target / file).write_text(text, encoding="utf-8")
    size = sum(len(text) for text in written.values())
    assert size <= MAX_BYTES, f"{name}: {size} bytes are too many to keep"
    print(f"{name}: {size} bytes, outcomes {[s['outcome'] for s in sittings]}")


def _since(first: float, moment: float) -> float:
    return round(FIRST_TIME + moment - first, 6)


def _line(event: Event, first: float) -> str:
    data: dict[str, Any] = json.loads(event.to_line())
    return json.dumps({**data, "time": _since(first, event.time)}) + "\n"


def _budgets(spec: SearchSpec) -> dict[str, Any]:
    """What a resumption may change and a conductor decides by."""
    search = spec.search
    return {
        "epoch_budget": search.epoch_budget,
        "time_budget": search.time_budget,
        "core_budget": search.core_budget,
        "trials": search.trials,
    }


def _refuse_traces(file: str, text: str, storage: Path) -> None:
    for trace in (str(storage), str(Path.home()), str(HERE.parents[1]), platform.node()):
        assert len(trace) < 4 or trace not in text, f"{file}: holds {trace!r}"


def main() -> None:
    """Make the ledgers that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SEARCHES)}")
    names = parser.parse_args().names or list(SEARCHES)
    # Workers import the failing model by its name, as they would a user's own.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[1]), str(HERE.parent / "ray")])
    with tempfile.TemporaryDirectory(prefix="raysearch-ledgers-") as folder:
        storage = Path(folder)
        with stable_ties(), cluster_session(None, storage / "logs", num_cpus=2) as cluster:
            for name in names:
                keep(*run(name, storage, cluster), storage)


if __name__ == "__main__":
    main()
