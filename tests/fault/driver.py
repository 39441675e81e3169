"""A driver as the user starts it, watched from outside and killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from raysearch.config.identity import stable_hash

SETTINGS = {
    "features.mel.n_mels": 20,
    "features.mel.hop_ms": 20.0,
    "training.clip_s": 1.0,
    "training.batch_size": 32,
    "model.width": 8,
    "model.branches": 2,
    "model.blocks": 1,
    "model.stem_width": 16,
    "model.stem_stride": 4,
    "search.inner_folds": 1,
    "search.final": "single",
    "search.checkpoint_every_s": 0,
    # Trials pause after one epoch and after two, and the best of them go on.
    "training.warmup_epochs": 0,
    "search.defaults_first": False,
    "search.grace_epochs": 1,
    "search.noise": 0,
}


class Driver:
    """``raysearch run`` in a process of its own.

    ``storage`` is a folder, or a URL; then ``machine`` is a folder that makes it a machine of its
    own, which knows nothing of what others did. What it prints goes to ``log``, by default into
    the storage.
    """

    def __init__(
        self,
        storage: Path | str,
        name: str,
        *options: str,
        trials: int = 5,
        epochs: int = 3,
        machine: Path | None = None,
        log: Path | None = None,
    ):
        command = [sys.executable, "-m", "raysearch.run", "--space", "emohrnet"]
        command += ["--storage", str(storage), "--name", name, "--slots", "1"]
        command += ["--trials", str(trials), "--max-epochs", str(epochs)]
        command += [f"--set={key}={value}" for key, value in SETTINGS.items()]
        command += options
        environment = dict(os.environ)
        if machine is not None:
            environment["XDG_CACHE_HOME"] = str(machine)
            folder = machine / "raysearch" / stable_hash(storage)
            folder.mkdir(parents=True)
        else:
            folder = Path(storage)
        self.run = folder / name
        self.log = log or folder / f"{name}.out"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def wait_until(self, ready, timeout_s: float = 180.0) -> None:
        """Poll ``ready``; a driver that ends before it is a failure."""
        deadline = time.monotonic() + timeout_s
        while not ready(self):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.005)

    def kill(self) -> None:
        """SIGKILL the driver alone; every process that it had started must go by itself."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        _, alive = psutil.wait_procs(family, timeout=30)
        # A process whose parent died is reaped by init, which a container may lack.
        left = [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        assert not left, f"still running after 30 s: {left}"

    def finish(self) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(timeout=300)

    def events(self) -> list[dict]:
        """The ledger's whole lines."""
        path = self.run / "trials.jsonl"
        if not path.exists():
            return []
        lines = path.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines]


def outcome(events: list[dict]) -> dict:
    """Number to what a search found, without times and attempts."""
    found: dict[int, dict] = {}
    for event in events:
        record = found.setdefault(event["number"], {"trial": event["trial"], "epochs": {}})
        if event["event"] == "epoch":
            record["epochs"][event["epoch"]] = event["metrics"]
        elif event["event"] in ("completed", "pruned", "failed"):
            record.setdefault("ends", []).append(event["event"])
    return found


def check_resumed(resumed: Driver, expected: dict) -> None:
    """``resumed`` ends with what an undisturbed search finds, and leaves nothing half done."""
    assert resumed.finish() == 0, resumed.log.read_text()
    events = resumed.events()
    assert outcome(events) == expected
    assert all(len(record["ends"]) == 1 for record in outcome(events).values())
    epochs = [(e["number"], e["attempt"], e["epoch"]) for e in events if e["event"] == "epoch"]
    assert len(epochs) == len(set(epochs)), "an epoch twice within an attempt"
    assert (resumed.run / "best" / "weights.safetensors").stat().st_size > 0
    assert not list(resumed.run.glob("checkpoints/*/.*.tmp"))
