"""From the command to the first epoch: a search, and the documented way, each in a fresh process.

Both find the demo corpus' features computed, train the same first trial (the same network, batches
and seed, one thread), and run two at a time on two CPUs. The documented way is a function trainable
of Ray Tune that calls ``TorchTrainer.fit``; its worker reads the features as a search's does. Both
must report the same loss of that epoch. The demo's command is run on an empty storage, corpus and
features being made first.

    python tests/benchmarks/cold_start.py [--pairs 3] [--json FILE]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_frame import Figure, Options, alternate, at_most, equal, figure, ratio
from bench_script import run_script

from raysearch.run_folder import RunFolder

DEMO = {"features.mel.n_mels": 40, "features.mel.hop_ms": 20, "model.stem_stride": 4}
SETTINGS = {
    **DEMO,
    "search.scheduler": "none",
    "search.inner_folds": 1,
    "search.final": "single",
    "search.published_first": False,
}
SLOTS, EPOCHS = 2, 1


@dataclass(frozen=True)
class Start:
    """Seconds from the command to the end of the first epoch, and the first trial's loss in it."""

    seconds: float
    loss: float


def measure(options: Options) -> list[Figure]:
    """Each pair: a search, the documented way, the demo."""
    with tempfile.TemporaryDirectory(prefix="cold-start-") as folder:
        storage = Path(folder)
        search(storage, "warm")  # which computes the features
        ways = {
            "ours": lambda pair: search(storage, f"search-{pair}"),
            "documented": lambda pair: documented(storage, pair),
            "demo": lambda pair: demo(storage / f"empty-{pair}"),
        }
        found = alternate(ways, options.pairs)
    ours, theirs = found["ours"], found["documented"]
    equal("first epoch", [one.loss for one in ours], [one.loss for one in theirs], 1e-4)
    seconds = [one.seconds for one in ours]
    theirs_s = [one.seconds for one in theirs]
    return [
        ratio("first epoch, of TorchTrainer in Tune's time", seconds, theirs_s, at_most(0.4)),
        figure("first epoch of a search", "s", seconds, at_most(15)),
        figure("first epoch, TorchTrainer in Tune", "s", theirs_s),
        figure(
            "first epoch of the demo, without features",
            "s",
            [one.seconds for one in found["demo"]],
            at_most(20),
        ),
    ]


def search(storage: Path, name: str) -> Start:
    """Run two trials as a user would."""
    options = ["--trials", str(SLOTS), "--max-epochs", str(EPOCHS), "--slots", str(SLOTS)]
    return _run(storage, name, [*options, *_settings(SETTINGS)])


def demo(storage: Path) -> Start:
    """What ``make demo`` runs, but ended after two short trials."""
    options = ["--trials", str(SLOTS), "--max-epochs", "2", "--final", "single"]
    return _run(storage, "demo", [*options, *_settings(DEMO)])


def _settings(settings: dict[str, object]) -> list[str]:
    return [f"--set={key}={value}" for key, value in settings.items()]


def _run(storage: Path, name: str, options: Sequence[str]) -> Start:
    command = [sys.executable, "-m", "raysearch", "run", "--space", "emohrnet", "--name", name]
    command += ["--storage", str(storage), "--quiet", *options]
    begun = time.time()
    subprocess.run(command, check=True, env=environment(), stdout=sys.stderr)
    lines = RunFolder(storage / name).ledger_file.read_text().splitlines()
    epochs = [event for event in map(json.loads, lines) if event["event"] == "epoch"]
    of_first = next(event for event in epochs if event["number"] == 0)
    seconds = min(event["time"] for event in epochs) - begun
    return Start(seconds, of_first["metrics"]["train_loss"])


def documented(storage: Path, pair: int) -> Start:
    """The documented way, of the trials that this pair's search proposed."""
    begun, answer = time.time(), storage / f"peer-{pair}.json"
    own = [sys.executable, __file__, "--peer", str(storage / f"search-{pair}"), str(answer)]
    subprocess.run(own, check=True, env=environment(), stdout=sys.stderr)
    ended, loss = json.loads(answer.read_text())
    return Start(ended - begun, loss)


def peer(run: Path, answer: Path) -> None:
    """In a process of its own: write when the first epoch ended, and trial 0's loss."""
    # Imported here, as the process that compares needs none of it.
    import ray
    from bare_trials import search_tasks
    from documented_way import in_tune

    ray.init("local", num_cpus=SLOTS, log_to_driver=False)
    told = answer.with_suffix("")
    in_tune(search_tasks(RunFolder(run), run.parent), told, SLOTS)
    first = [json.loads(path.read_text()) for path in sorted(told.glob("*.first"))]
    loss = next(each["train_loss"] for each in first if each["number"] == 0)
    answer.write_text(json.dumps([min(each["time"] for each in first), loss]))
    ray.shutdown()


def environment() -> dict[str, str]:
    """This process', with one thread for every other."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(*map(Path, sys.argv[2:]))
    else:
        run_script("cold_start", __doc__, measure)
