"""From the command to the first epoch: a search, and the documented way, each in a fresh process.

Both find the demo corpus' features computed, train the same first trial (the same network, batches
and seed, one thread), and run two at a time on two CPUs. The documented way is a function trainable
of Ray Tune that calls ``TorchTrainer.fit``; its worker reads the features as a search's does. The
two take turns, and both must report the same loss of that epoch.

    python tests/benchmarks/cold_start.py [--pairs 3] [--json FILE] [--output FILE]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
SLOTS, EPOCHS = 2, 1
WAYS = ("raysearch", "TorchTrainer in Tune")


def main() -> None:
    """Print the times of each pair and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--output", type=Path, help="write them to this file as a table")
    parser.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        documented_way(*map(Path, arguments.peer))
        return
    with tempfile.TemporaryDirectory(prefix="cold-start-") as folder:
        storage = Path(folder)
        search(storage, "warm")  # which computes the features
        pairs = [pair(storage, index) for index in range(arguments.pairs)]
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    text = table(pairs, ratio)
    print(text)
    if arguments.json:
        seconds = [dict(zip(WAYS, each, strict=True)) for each in pairs]
        arguments.json.write_text(json.dumps({"seconds": seconds, "ratio": ratio}, indent=1) + "\n")
    if arguments.output:
        command = f"python tests/benchmarks/cold_start.py --output {arguments.output}"
        arguments.output.write_text(f"# Start-up\n\n`{command}`\n\n{text}")


def table(pairs: list[tuple[float, float]], ratio: float) -> str:
    """The pairs, and what they come to."""
    lines = [
        f"Seconds from the command to the end of the first epoch of {SLOTS} trials, on {SLOTS} "
        "CPUs, the features computed; the demo corpus.",
        "",
        f"| pair | {' | '.join(WAYS)} |",
        "|---|---:|---:|",
        *(f"| {i} | {ours:.1f} | {theirs:.1f} |" for i, (ours, theirs) in enumerate(pairs, 1)),
        "",
        f"A search takes {ratio:.2f} times as long as the documented way, by the pairs' median.",
    ]
    return "\n".join(lines) + "\n"


def pair(storage: Path, index: int) -> tuple[float, float]:
    """Seconds to the first epoch's end: of a search, then of the documented way."""
    ours, our_loss = search(storage, f"search-{index}")
    begun, answer = time.time(), storage / f"peer-{index}.json"
    own = [sys.executable, __file__, "--peer", str(storage / f"search-{index}"), str(answer)]
    subprocess.run(own, check=True, env=_environment(), stdout=sys.stderr)
    ended, their_loss = json.loads(answer.read_text())
    if abs(our_loss - their_loss) > 1e-4:
        sys.exit(f"the first epochs differ: a loss of {our_loss}, and of {their_loss}")
    return ours, ended - begun


def search(storage: Path, name: str) -> tuple[float, float]:
    """Run two trials as a user would; the seconds to trial 0's first epoch, and its loss."""
    command = [sys.executable, "-m", "raysearch.run", "--space", "emohrnet", "--name", name]
    command += ["--storage", str(storage), "--trials", str(SLOTS), "--max-epochs", str(EPOCHS)]
    command += ["--slots", str(SLOTS), *(f"--set={k}={v}" for k, v in SETTINGS.items())]
    begun = time.time()
    subprocess.run(command, check=True, env=_environment(), stdout=sys.stderr)
    lines = RunFolder(storage / name).ledger_file.read_text().splitlines()
    epochs = [event for event in map(json.loads, lines) if event["event"] == "epoch"]
    of_first = next(event for event in epochs if event["number"] == 0)
    return min(event["time"] for event in epochs) - begun, of_first["metrics"]["train_loss"]


def documented_way(run: Path, answer: Path) -> None:
    """In a process of its own: write when the first epoch ended, and trial 0's loss."""
    # Imported here, as the process that compares needs none of it.
    import ray
    from trial_turnover import in_tune, tasks_of

    ray.init(num_cpus=SLOTS, log_to_driver=False)
    tasks = tasks_of(RunFolder(run), run.parent)
    told = answer.with_suffix("")
    in_tune(tasks, told)
    first = [json.loads(path.read_text()) for path in sorted(told.glob("*.first"))]
    loss = next(each["train_loss"] for each in first if each["number"] == 0)
    answer.write_text(json.dumps([min(each["time"] for each in first), loss]))
    ray.shutdown()


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


if __name__ == "__main__":
    main()
