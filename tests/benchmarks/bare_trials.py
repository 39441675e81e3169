"""Trials as a bare loop trains them: Optuna's ask and tell around a learner, in one process.

    python tests/benchmarks/bare_trials.py TASKS ANSWER --threads 1 [--share 0/2]

TASKS are the trials of a search, as ``search_tasks`` has pickled them; ANSWER gets a JSON of what
they took. Neither Ray nor a search has a part in it; the features are read once, into memory.
"""

import argparse
import json
import logging
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import optuna
import torch

from raysearch.run_folder import RunFolder
from raysearch.spec import TrialConfig
from raysearch.storage.corpora import read_corpus
from raysearch.streaming.arrays import FeatureArrays
from raysearch.streaming.batches import SplitData
from raysearch.streaming.node_cache import read_arrays
from raysearch.streaming.preparation import audited_split
from raysearch.streaming.readers import HostReader
from raysearch.streaming.shards import ensure_features
from raysearch.streaming.split_rows import SplitRows, split_rows
from raysearch.streaming.store import FeatureSource, feature_store
from raysearch.streaming.store_index import scan
from raysearch.training.data import TrialData
from raysearch.training.learner import Learner

__all__ = ["Loop", "Task", "bare_loops", "search_tasks", "train"]

SAMPLED = {
    "learning_rate": optuna.distributions.FloatDistribution(5e-4, 5e-3, log=True),
    "label_smoothing": optuna.distributions.FloatDistribution(0.0, 0.2, step=0.05),
    "freq_mask_width": optuna.distributions.FloatDistribution(0.05, 0.35),
}


@dataclass(frozen=True)
class Task:
    """One trial that a search proposed: its settings, seed and rows, and where they lie."""

    number: int
    config: Mapping[str, object]
    seed: int
    rows: SplitRows
    sources: Mapping[str, FeatureSource]


@dataclass(frozen=True)
class Loop:
    """What a bare loop took.

    Attributes:
        begun, ended: when, by the clock; what it had to import and read is not in it.
        overheads: of each trial, seconds beside its training and validation batches.
        losses: of each trial's last epoch.
    """

    begun: float
    ended: float
    overheads: Sequence[float]
    losses: Sequence[float]


def search_tasks(run: RunFolder, storage: Path) -> list[Task]:
    """The trials that a search proposed, whose features are all stored; no Ray is needed."""
    spec = run.spec()
    split = audited_split(spec, read_corpus(spec.corpus, storage)).split
    utterances = (*split.train, *split.validation)
    tasks = []
    for number, record in sorted(run.trials().records.items()):
        config = spec.resolve(record.config)
        sets = {
            stream: ensure_features(
                utterances, stream, one, feature_store(storage), corpus=spec.corpus.name
            )
            for stream, one in config.used_features.items()
        }
        bad = {name: why for one in sets.values() for name, why in one.quarantined.items()}
        sources = {stream: one.source for stream, one in sets.items()}
        seed = int(str(record.details["seed"]))
        tasks.append(Task(number, config.to_dict(), seed, split_rows(split, bad), sources))
    return tasks


def bare_loops(tasks: Path, threads: int, processes: int = 1) -> list[Loop]:
    """So many processes at once, each with its share of the trials and so many threads."""
    answers = [tasks.with_suffix(f".{number}.json") for number in range(processes)]
    command = [sys.executable, __file__, str(tasks)]
    running = []
    for number, answer in enumerate(answers):
        own = [str(answer), "--threads", str(threads), "--share", f"{number}/{processes}"]
        running.append(subprocess.Popen([*command, *own]))
    codes = [process.wait() for process in running]
    if any(codes):
        sys.exit("a bare loop failed")
    return [Loop(**json.loads(answer.read_text())) for answer in answers]


def train(task: Task, data: TrialData, report: Callable[[Mapping[str, float]], None]) -> float:
    """Train one trial; each epoch is reported. Returns the seconds in batches."""
    config = TrialConfig.from_dict(dict(task.config))
    learner = Learner(
        config.model,
        config.training,
        config.spec_augment,
        data,
        seed=task.seed,
        device=torch.device("cpu"),
    )
    train_s = 0.0
    while not learner.finished:
        result = learner.run_epoch()
        train_s += result.train_s
        value = learner.best_value or 0.0
        told = {"epoch": result.epoch, "value": value, "train_s": train_s}
        report({**told, "train_loss": result.metrics["train_loss"]})
    learner.close()
    return train_s


def _loop(tasks: Sequence[Task]) -> Loop:
    optuna.logging.set_verbosity(logging.ERROR)
    arrays = {key: one for task in tasks for key, one in _arrays(task).items()}
    study = optuna.create_study(direction="maximize")
    begun, overheads, losses = time.time(), [], []
    for task in tasks:
        started = time.perf_counter()
        # The sampler is asked as in any search; the settings are those of the other way.
        trial = study.ask(SAMPLED)
        told: list[Mapping[str, float]] = []
        with _data(task, arrays) as data:
            train_s = train(task, data, told.append)
        study.tell(trial, max(one["value"] for one in told))
        losses.append(told[-1]["train_loss"])
        overheads.append(time.perf_counter() - started - train_s)
    return Loop(begun, time.time(), overheads, losses)


def _arrays(task: Task) -> dict[str, FeatureArrays]:
    keys = task.rows.keys()
    return {source.key: read_arrays(source, scan(source), keys) for source in task.sources.values()}


def _data(task: Task, arrays: Mapping[str, FeatureArrays]) -> SplitData:
    config = TrialConfig.from_dict(dict(task.config)).training
    # Opening data clears what it has read of the rows' statistics.
    own = {name: arrays[source.key] for name, source in task.sources.items()}
    reader = HostReader(own, {name: source.floor for name, source in task.sources.items()})
    place = {"rank": 0, "world_size": 1, "batch_size": config.batch_size}
    return SplitData(task.rows, task.sources, reader, clip_s=config.clip_s, seed=task.seed, **place)


def main() -> None:
    """Train this process' share."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", type=Path)
    parser.add_argument("answer", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--share", default="0/1")
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    torch.set_flush_denormal(True)  # as trials do
    first, step = map(int, told.share.split("/"))
    tasks = pickle.loads(told.tasks.read_bytes())[first::step]
    told.answer.write_text(json.dumps(asdict(_loop(tasks))))


if __name__ == "__main__":
    main()
