"""What a trial costs beside its training: one warm slot, a bare loop, the documented way.

Short trials on the demo corpus, one at a time with one thread, the same settings, seeds and
learner: a search as the user runs it; Optuna's ask and tell around the learner in one process; and,
of the first few trials, a function trainable of Tune that calls ``TorchTrainer.fit``. Overhead is
a trial's time from the end of the one before to its own, less its training and validation batches;
the search's is computed from the ledger's lines alone. The first trial of a slot or loop, and
start-up, are in no overhead.

    python tests/benchmarks/trial_turnover.py [--pairs 3] [--json FILE]
"""

import json
import pickle
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bare_trials import Task, bare_loops, search_tasks
from bench_frame import Figure, Options, alternate, at_least, at_most, equal, figure, ratio
from bench_script import run_script
from cold_start import environment

from raysearch.run_folder import RunFolder

SETTINGS = {
    "features.mel.n_mels": 40,
    "features.mel.hop_ms": 20,
    "model.stem_stride": 4,
    "search.scheduler": "none",
    "search.inner_folds": 1,
    "search.final": "single",
    "search.published_first": False,
}
EPOCHS, TRIALS, DOCUMENTED = 1, 32, 3
ENDS = ("completed", "pruned", "failed")
Lines = Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class Searched:
    """What a search took, by its ledger.

    Attributes:
        seconds: from the first trial's start to the last one's end.
        overheads: of each trial after its slot's first.
        losses: of each trial's last epoch.
        trained_s: seconds in batches of all trials together.
    """

    seconds: float
    overheads: Sequence[float]
    losses: Sequence[float]
    trained_s: float


def measure(options: Options) -> list[Figure]:
    """Each pair: a search on one slot, a bare loop, the documented way."""
    trials, few = (4, 1) if options.small else (TRIALS, DOCUMENTED)
    with tempfile.TemporaryDirectory(prefix="turnover-") as folder:
        storage = Path(folder)
        searched(storage, "first", 1, 1)  # which computes the features
        ways = {
            "ours": lambda pair: searched(storage, f"pair-{pair}", 1, trials),
            "bare": lambda pair: bare_loops(stored_tasks(storage, f"pair-{pair}"), 1)[0],
            "documented": lambda pair: documented(storage, pair, few),
        }
        found = alternate(ways, options.pairs)
    ours, bare, theirs = found["ours"], found["bare"], found["documented"]
    for one, other in zip(ours, bare, strict=True):
        equal("last losses", one.losses, other.losses, 1e-4)
    overheads = [statistics.fmean(one.overheads) for one in ours]
    documented_s = [statistics.fmean(one) for one in theirs]
    seconds, bare_s = [one.seconds for one in ours], [one.ended - one.begun for one in bare]
    return [
        figure("overhead a trial", "s", overheads, at_most(0.15)),
        ratio("overhead of TorchTrainer in Tune, of ours", documented_s, overheads, at_least(50)),
        ratio("one slot, of the bare loop's time", seconds, bare_s, at_most(1.1)),
        figure(
            "overhead a trial, bare loop", "s", [statistics.fmean(x.overheads[1:]) for x in bare]
        ),
        figure("overhead a trial, TorchTrainer in Tune", "s", documented_s),
        figure("training of a trial", "s", [one.trained_s / len(one.losses) for one in ours]),
    ]


def searched(storage: Path, name: str, slots: int, trials: int) -> Searched:
    """A search, as a command."""
    command = [sys.executable, "-m", "raysearch", "run", "--space", "emohrnet", "--name", name]
    command += ["--storage", str(storage), "--trials", str(trials), "--max-epochs", str(EPOCHS)]
    command += ["--slots", str(slots), "--quiet", *(f"--set={k}={v}" for k, v in SETTINGS.items())]
    subprocess.run(command, check=True, env=environment(), stdout=sys.stderr)
    return of_ledger(map(json.loads, RunFolder(storage / name).ledger_file.open()))


def of_ledger(lines: "Lines | map[dict[str, object]]") -> Searched:
    """What the lines of a search's ledger amount to."""
    previous: dict[int, float] = {}
    trained: dict[int, float] = {}
    losses: dict[int, float] = {}
    overheads, starts, ends = [], [], []
    for line in lines:
        if line["event"] == "started":
            starts.append(line["time"])
        if line["event"] == "epoch":
            trained[line["number"]] = trained.get(line["number"], 0.0) + line["train_s"]
            losses[line["number"]] = line["metrics"]["train_loss"]
        if line["event"] in ENDS and line["slot"] is not None:
            ends.append(line["time"])
            if line["slot"] in previous:
                spent = line["time"] - previous[line["slot"]]
                overheads.append(spent - trained.get(line["number"], 0.0))
            previous[line["slot"]] = line["time"]
    in_order = [losses[number] for number in sorted(losses)]
    return Searched(ends[-1] - starts[0], overheads, in_order, sum(trained.values()))


def stored_tasks(storage: Path, name: str) -> Path:
    """The trials of a search, in a file for the other ways."""
    path = storage / f"{name}.tasks"
    path.write_bytes(pickle.dumps(search_tasks(RunFolder(storage / name), storage)))
    return path


def documented(storage: Path, pair: int, few: int) -> Sequence[float]:
    """The overhead of the first few trials, the documented way, in a process of its own."""
    answer = storage / f"documented-{pair}.json"
    tasks = stored_tasks(storage, f"pair-{pair}")
    own = [sys.executable, __file__, "--peer", str(tasks), str(answer), str(few)]
    subprocess.run(own, check=True, env=environment(), stdout=sys.stderr)
    overheads: list[float] = json.loads(answer.read_text())
    return overheads


def peer(tasks: Path, answer: Path, few: int) -> None:
    """In that process: write the overheads."""
    # Imported here, as the process that compares needs none of it.
    import ray
    from documented_way import in_tune

    ray.init("local", num_cpus=1, log_to_driver=False)
    given: list[Task] = pickle.loads(tasks.read_bytes())[:few]
    answer.write_text(json.dumps(in_tune(given, answer.with_suffix(""), 1)))
    ray.shutdown()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    else:
        run_script("turnover", __doc__, measure)
