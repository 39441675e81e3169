"""What a trial costs beside its training: warm groups, the documented way, and a bare loop.

Twenty trials of two epochs on the demo corpus, two at a time on exactly two CPUs, one thread each:

- raysearch: a search as the user runs it;
- TorchTrainer in Tune: the documented way, a function trainable that calls ``TorchTrainer.fit``,
  on the same settings, with the same learner and data;
- bare loop: Optuna's ask and tell around the same learner, one after another in one process.

    python tests/benchmarks/trial_turnover.py [--trials 20] [--output FILE]

Overhead of a trial is its slot's time from the trial before to its own end, less its seconds in
training and validation batches. raysearch's is computed here from the ledger's lines alone.
"""

import argparse
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
import ray
import torch
from ray import tune
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from ray.tune.integration.ray_train import TuneReportCallback

from raysearch.ray_cluster.session import cluster_session
from raysearch.run_folder import RunFolder
from raysearch.spec import TrialConfig
from raysearch.streaming.node_cache import node_cache
from raysearch.streaming.preparation import prepare_features, prepare_split
from raysearch.streaming.tiers import open_trial_data
from raysearch.streaming.wanted_features import WantedFeatures
from raysearch.training.learner import Learner

SLOTS, EPOCHS = 2, 2
SETTINGS = {
    "features.mel.n_mels": 40,
    "features.mel.hop_ms": 20,
    "search.scheduler": "none",
    "search.inner_folds": 1,
    "search.final": "single",
}


def warm_groups(storage: Path, trials: int) -> tuple[RunFolder, dict]:
    """The search itself, as a command."""
    command = [sys.executable, "-m", "raysearch.run", "--space", "emohrnet", "--name", "warm"]
    command += ["--storage", str(storage), "--trials", str(trials), "--max-epochs", str(EPOCHS)]
    command += ["--slots", str(SLOTS), *(f"--set={k}={v}" for k, v in SETTINGS.items())]
    begun = time.time()
    subprocess.run(command, check=True)
    run = RunFolder(storage / "warm")
    lines = [json.loads(line) for line in run.ledger_file.read_text().splitlines()]
    return run, figures("raysearch", time.time() - begun, *ledger_overheads(lines))


def ledger_overheads(lines: list[dict]) -> tuple[list[float], float]:
    """Overhead of each trial after its slot's first, and all training seconds."""
    previous: dict[int, float] = {}
    overheads, total = [], 0.0
    trained: dict[int, float] = {}
    for line in lines:
        if line["event"] == "epoch":
            trained[line["number"]] = trained.get(line["number"], 0.0) + line["train_s"]
            total += line["train_s"]
        if line["event"] in ("completed", "pruned", "failed") and line["slot"] is not None:
            if line["slot"] in previous:
                spent = line["time"] - previous[line["slot"]]
                overheads.append(spent - trained.get(line["number"], 0.0))
            previous[line["slot"]] = line["time"]
    return overheads, total


def figures(way: str, wall: float, overheads: list[float], train_s: float) -> dict:
    return {
        "way": way,
        "wall": wall,
        "train": train_s,
        "mean": statistics.fmean(overheads),
        "median": statistics.median(overheads),
    }


def train_trial(task: dict, report) -> float:
    """The same trial that a warm group trains; seconds in batches."""
    torch.set_num_threads(1)
    config = TrialConfig.from_dict(task["config"])
    data = open_trial_data(
        ray.get(task["data"].rows)[0],
        task["data"].sources,
        clip_s=config.training.clip_s,
        batch_size=config.training.batch_size,
        seed=task["seed"],
    )
    learner = Learner(
        config.model,
        config.training,
        config.spec_augment,
        data,
        seed=task["seed"],
        device=torch.device("cpu"),
    )
    train_s = 0.0
    while not learner.finished:
        result = learner.run_epoch()
        train_s += result.train_s
        loss = result.metrics["train_loss"]
        told = {"epoch": result.epoch, "value": learner.best_value, "train_s": train_s}
        report({**told, "train_loss": loss})
    learner.close()
    data.close()
    return train_s


def in_tune(tasks: list[dict], scratch: Path) -> dict:
    """The documented way: Tune's function starts a TorchTrainer a trial.

    ``scratch`` gets a file a trial with the time and loss of its first epoch.
    """

    def on_worker(config: dict) -> None:
        def report(told: dict) -> None:
            if told["epoch"] == 1:
                first = {"number": config["index"], "time": time.time(), **told}
                (scratch / f"{config['index']}.first").write_text(json.dumps(first))
            ray.train.report(told)

        train_s = train_trial(config["task"], report)
        (scratch / f"{config['index']}.seconds").write_text(str(train_s))

    def trainable(config: dict) -> None:
        begun = time.time()
        TorchTrainer(
            on_worker,
            train_loop_config=config,
            scaling_config=ScalingConfig(num_workers=1, resources_per_worker={"CPU": 0.99}),
            run_config=RunConfig(
                name=f"trial-{config['index']}",
                storage_path=str(scratch),
                callbacks=[TuneReportCallback()],
            ),
        ).fit()
        train_s = float((scratch / f"{config['index']}.seconds").read_text())
        tune.report({"value": 0.0, "begun": begun, "ended": time.time(), "train_s": train_s})

    scratch.mkdir()
    begun = time.time()
    results = tune.Tuner(
        tune.with_resources(trainable, {"CPU": 0.01}),
        param_space={
            "task": tune.grid_search(tasks),
            "index": tune.sample_from(lambda spec: spec.config.task["number"]),
        },
        tune_config=tune.TuneConfig(max_concurrent_trials=SLOTS),
        run_config=tune.RunConfig(storage_path=str(scratch), verbose=0),
    ).fit()
    wall = time.time() - begun
    spans = [(r.metrics["begun"], r.metrics["ended"]) for r in results]
    trained = [r.metrics["train_s"] for r in results]
    overheads = [e - b - t for (b, e), t in zip(spans, trained, strict=True)]
    return figures("TorchTrainer in Tune", wall, overheads, sum(trained))


def bare_loop(tasks: list[dict]) -> dict:
    """Optuna around PyTorch, in this process."""
    optuna.logging.set_verbosity(logging.ERROR)
    study = optuna.create_study(direction="maximize")
    begun = time.time()
    overheads, total = [], 0.0
    for task in tasks:
        started = time.time()
        trial = study.ask()
        values: list[float] = []
        train_s = train_trial(task, lambda result, found=values: found.append(result["value"]))
        study.tell(trial, max(values))
        overheads.append(time.time() - started - train_s)
        total += train_s
    return figures("bare Optuna + PyTorch loop", time.time() - begun, overheads, total)


def tasks_of(run: RunFolder, storage: Path) -> list[dict]:
    """The settings that the search proposed, each with its seed and data."""
    spec = run.spec()
    bank = prepare_features(
        WantedFeatures.of_search(spec),
        prepare_split(spec, storage).split,
        storage,
        corpus=spec.corpus,
        search=spec.search,
    )
    keep.append([bank, node_cache()])
    return [
        {
            "number": number,
            "config": (config := spec.resolve(record.config)).to_dict(),
            "seed": record.details["seed"],
            "data": bank.data(config),
        }
        for number, record in sorted(run.trials().records.items())
    ]


keep: list = []  # the caches live as long as the bank


def table(rows: list[dict], trials: int) -> str:
    lines = [
        f"{trials} trials of {EPOCHS} epochs, demo corpus, {SLOTS} CPUs, one thread a trial. "
        "Seconds; overhead is a trial's time beside its training and validation batches.",
        "",
        "| way | wall | in batches | overhead a trial, mean | median |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['way']} | {row['wall']:.0f} | {row['train']:.0f} "
            f"| {row['mean']:.2f} | {row['median']:.2f} |"
        )
    ratio = rows[1]["mean"] / max(rows[0]["mean"], 1e-3)
    lines += ["", f"The documented way costs {ratio:.0f} times the overhead of a warm group."]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnover-") as folder:
        storage = Path(folder)
        run, warm = warm_groups(storage, arguments.trials)
        with cluster_session(None, storage / "logs", num_cpus=SLOTS):
            tasks = tasks_of(run, storage)
            rows = [warm, in_tune(tasks, storage / "tune"), bare_loop(tasks)]
            keep.clear()
    text = table(rows, arguments.trials)
    print(text)
    if arguments.output:
        arguments.output.write_text(
            "# Trial turnover\n\n`python tests/benchmarks/trial_turnover.py --output "
            f"{arguments.output}`\n\n{text}"
        )


if __name__ == "__main__":
    main()
