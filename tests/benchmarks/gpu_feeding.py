"""What feeds a GPU and shares it: tiers, an encoder's features, slots, a whole trial."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_steps import SETTINGS, Way
from noise_rows import noise_arrays, noise_rows
from random_whisper import random_whisper
from torch import multiprocessing

from raysearch.features.log_mel import LogMelConfig
from raysearch.features.ssl import Ssl, SslConfig
from raysearch.spec import SearchSpec
from raysearch.streaming.arrays import FeatureArrays
from raysearch.streaming.batches import SplitData
from raysearch.streaming.prefetch import PrefetchReader
from raysearch.streaming.readers import DeviceReader, HostReader
from raysearch.streaming.store import feature_source
from raysearch.training.learner import Learner

NUM_VALIDATION, CLASSES = 100, 7
CLIP_S = 3.0
HOLD_S = 5.0


def tiers(system: str, device: torch.device, *, small: bool) -> Mapping[str, Any]:
    """Seconds of an epoch, validation included, from each tier, which take turns."""
    num_train, rounds = (60, 2) if small else (800, 6)
    with ExitStack() as opened, tempfile.TemporaryDirectory() as scratch:
        stored = _stored(Path(scratch), num_train)
        names = ["host", "host, prefetched", "device"]
        if device.type == "cpu":
            names.remove("host, prefetched")
        trials = {
            name: opened.enter_context(_trial(system, stored, num_train, name, device))
            for name in names
        }
        times: dict[str, list[float]] = {name: [] for name in names}
        for number in range(rounds):
            for name, trial in trials.items():
                begun = time.perf_counter()
                trial.advance()  # ends by reading the losses, so the device has finished
                if number:
                    times[name].append(time.perf_counter() - begun)
        return {name: _spread(seconds) for name, seconds in times.items()}


def _stored(folder: Path, num_train: int) -> tuple[Any, FeatureArrays]:
    """Recordings of 1 to 5 s as log-mel frames at 10 ms, 64 bins."""
    source = feature_source(folder, "noise", "mel", LogMelConfig(n_mels=64, hop_ms=10.0))
    frames_R = np.random.default_rng(0).integers(100, 500, num_train + NUM_VALIDATION)
    return source, noise_arrays(source.num_bins, frames_R)


@contextmanager
def _trial(
    system: str, stored: tuple[Any, FeatureArrays], num_train: int, tier: str, device: torch.device
) -> Iterator[Learner]:
    source, arrays = stored
    floors, reader = {"mel": source.floor}, None
    # Each its own: opening data clears what it has read of the rows' statistics.
    own = {"mel": FeatureArrays(arrays.values, arrays.stats)}
    reader = DeviceReader(own, floors, device) if tier == "device" else HostReader(own, floors)
    if tier == "host, prefetched":
        reader = PrefetchReader(reader)  # type: ignore[assignment]
    base = SearchSpec.load(f"{system}-gpu", SETTINGS.get(system, [])).base
    rows = noise_rows(num_train, NUM_VALIDATION, CLASSES)
    training = base.training.model_copy(update={"epochs": 1000, "precision": "auto"})
    place = {"rank": 0, "world_size": 1, "batch_size": training.batch_size}
    with SplitData(rows, {"mel": source}, reader, clip_s=CLIP_S, seed=1, **place) as data:
        yield Learner(base.model, training, base.spec_augment, data, seed=1, device=device)


def features(weights: Path | None, device: torch.device, *, small: bool) -> Mapping[str, Any]:
    """Recordings of 3 s a second through a Whisper encoder, and how far apart their frames are."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = weights or random_whisper(Path(scratch))
        clip_N = np.random.default_rng(0).normal(0, 0.1, 48000).astype(np.float32)
        found: dict[str, Any] = {"weights": weights.name if weights else "random, of tiny's sizes"}
        ways = {f"cpu, {torch.get_num_threads()} threads": ("cpu", 2 if small else 10)}
        if device.type == "cuda":
            ways["gpu"] = ("cuda", 100)
        frames = {}
        for name, (place, count) in ways.items():
            extractor = Ssl(SslConfig(weights=str(folder)))
            extractor.device = place
            extractor([clip_N])
            begun = time.perf_counter()
            frames[name] = extractor([clip_N] * count)[0]
            found[name] = count / (time.perf_counter() - begun)
        if device.type == "cuda":
            on_cpu = next(iter(frames.values()))
            found["difference as it is"] = _apart(frames["gpu"], on_cpu)
            torch.backends.cudnn.allow_tf32 = False
            found["difference without TF32"] = _apart(extractor([clip_N])[0], on_cpu)
            torch.backends.cudnn.allow_tf32 = True
            found["difference of half precision"] = _apart(on_cpu.astype(np.float16), on_cpu)
        return found


def _apart(one: np.ndarray, two: np.ndarray) -> float:
    """The largest difference, as a share of the largest value."""
    return float(np.abs(one.astype(np.float32) - two).max() / np.abs(two).max())


def slots(system: str, count: int, device: torch.device, *, small: bool) -> Mapping[str, Any]:
    """Steps a second of ``count`` processes that train on one card at once."""
    context = multiprocessing.get_context("spawn")
    ready, answers = context.Barrier(count), context.Queue()
    arguments = (system, str(device), small, ready, answers)
    processes = [context.Process(target=_slot, args=arguments, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        told = [answers.get(timeout=90) for _ in processes]
    finally:
        for process in processes:
            process.join(5)
            process.kill()
    if errors := [one for one in told if isinstance(one, str)]:
        raise RuntimeError(errors[0])
    return {"steps_per_s": sum(told), "each": sorted(told)}


def _slot(system: str, device: str, small: bool, ready: Any, answers: Any) -> None:
    torch.set_num_threads(1)
    try:
        way = Way(system, torch.device(device), small=small, precision="auto")
        ready.wait(80)
        done, begun = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begun) < (0.5 if small else HOLD_S):
            way.seconds(5)
            done += 5
        answers.put(done / elapsed)
    except Exception as error:
        ready.abort()
        answers.put(f"{type(error).__name__}: {error}")


def whole_trial(
    data: Path, device: torch.device, storage: Path, *, small: bool, limit_s: float
) -> Mapping[str, Any]:
    """One trial of cnn on EMO-DB, of 30 epochs: wall from its start to its end, and an epoch's."""
    gpu = device.type == "cuda"
    name = f"trial-on-{device.type}"
    cpus = max(1, len(os.sched_getaffinity(0)) // 2)
    command = [sys.executable, "-m", "raysearch", "run", "--space=cnn", f"--name={name}"]
    command += [f"--storage={storage}", "--corpus=emodb", f"--data={data}", "--trials=1"]
    command += [f"--max-epochs={2 if small else 30}", "--slots=1", "--final=single"]
    command += [f"--gpus-per-worker={int(gpu)}", f"--cpus-per-worker={1 if gpu else cpus}"]
    command += ["--set=search.inner_folds=1", "--set=search.scheduler=none", "--quiet"]
    begun = time.time()
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout)[-300:])
    lines = (storage / name / "trials.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    epochs = [event["time"] for event in events if event["event"] == "epoch"]
    start = next(event["time"] for event in events if event["event"] == "started")
    return {
        "cpus": 1 if gpu else cpus,
        "epochs": len(epochs),
        "trial_s": epochs[-1] - start,
        "epoch_s": (epochs[-1] - epochs[0]) / max(1, len(epochs) - 1),
        "command_s": time.time() - begun,
    }


def _spread(seconds: list[float]) -> Mapping[str, float]:
    return {
        "epoch_s": statistics.median(seconds),
        "lowest_s": min(seconds),
        "highest_s": max(seconds),
    }
