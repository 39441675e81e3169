"""``raysearch`` as a user starts it, on a corpus of tones, each run in time or ended."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import soundfile

HERE = Path(__file__).parent
RATE, SPEAKERS, TAKES = 16000, 8, 5
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
SPACE = """
features:
  mel: {extractor: log_mel, sample_rate: 16000, window_ms: 25, hop_ms: 20, n_mels: 20}
model: {name: "picky_net:PickyCnn", blocks: 2, width: WIDTH, dropout: 0.1}
training: {epochs: 3, batch_size: 32, clip_s: 0.6, learning_rate: 2.0e-3}
search:
  grace_epochs: 1
  inner_folds: 1
  final: single
  fusion: false
  defaults_first: true
  priors: false
  checkpoint_every_s: 0
space:
  training.learning_rate: {loguniform: [5.0e-4, 5.0e-3]}
  model.width: {choice: [4, 6, 10, 14, WIDTH]}
"""


def tones(folder):
    """A manifest of recordings whose pitch and rhythm tell the emotion."""
    rng, lines = np.random.default_rng(0), ["path,emotion,speaker"]
    for speaker in range(SPEAKERS):
        for number, emotion in enumerate(EMOTIONS):
            for take in range(TAKES):
                time_N = np.arange(int(RATE * rng.uniform(0.7, 0.95))) / RATE
                pitch = 110 + 8 * speaker + 90 * number + rng.uniform(-15, 15)
                wave_N = np.sin(2 * np.pi * pitch * time_N)
                wave_N *= 0.3 * (1 + np.sin(2 * np.pi * (2 + number) * time_N))
                wave_N += rng.normal(0, 0.02, len(time_N))
                name = f"s{speaker}-{emotion}-{take}.wav"
                soundfile.write(folder / name, wave_N.clip(-1, 1), RATE)
                lines.append(f"{name},{emotion},s{speaker}")
    path = folder / "manifest.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


class Search:
    """One ``raysearch run``.

    Args:
        storage: where it lies; what it prints goes beside it.
        name: the run's.
        manifest: of the corpus.
        options: of the command, after those that all share.
        width: of the net that the space's section names, which is tried first.
        device: where features are expected.
        space: another space than the small one.
        probe: have it print whether its own process had a CUDA context at the end.
    """

    def __init__(
        self, storage, name, manifest, *options, width=8, device="cuda", space=None, probe=False
    ):
        file = Path(storage) / f"{name}.yaml"
        file.write_text(SPACE.replace("WIDTH", str(width)))
        self.run, self.log = Path(storage) / name, Path(storage) / f"{name}.out"
        self._device = device
        entry = [str(HERE / "driver_context.py")] if probe else ["-m", "raysearch", "run"]
        self._command = [sys.executable, *entry, f"--space={space or file}", f"--name={name}"]
        self._command += [f"--storage={storage}", "--corpus=manifest", f"--data={manifest}"]
        self._command += options
        self.process = None

    def start(self, *more):
        """Begin, with ``more`` options."""
        paths = [str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        environment["EXPECTED_DEVICE"] = self._device
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, *more], stdout=log, stderr=log, env=environment
            )
        return self

    def finish(self, limit_s=150):
        """Wait for the end; the exit code. What lasts longer is killed with all it started."""
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            for process in psutil.Process(self.process.pid).children(recursive=True):
                process.kill()
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"not over after {limit_s} s:\n{self.told()}") from None

    def interrupt_at(self, ready, limit_s=120):
        """SIGTERM once ``ready(events)``."""
        deadline = time.monotonic() + limit_s
        while not ready(self.events()):
            assert self.process.poll() is None, self.told()
            assert time.monotonic() < deadline, self.told()
            time.sleep(0.02)
        self.process.send_signal(signal.SIGTERM)

    def told(self):
        """The end of what it printed."""
        return self.log.read_text(errors="replace")[-3000:]

    def events(self):
        """The ledger's whole lines."""
        path = self.run / "trials.jsonl"
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        return [json.loads(line) for line in lines]

    def ends(self):
        """Number to the terminal event of each trial that has one."""
        return {
            event["number"]: event
            for event in self.events()
            if event["event"] in ("completed", "pruned", "failed")
        }
