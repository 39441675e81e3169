"""Searches whose features are streamed, as commands, where worker groups hold every CPU."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_command import SMALL

from raysearch.config.identity import stable_hash
from raysearch.ledger import read

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1200)]

TIGHT = "--set=search.stream_disk_gib=0.0005"  # one part of the demo corpus


class Command:
    """``raysearch run`` on two CPUs, on a machine of its own that knows nothing of others."""

    def __init__(self, storage, machine, *options):
        folder = machine / "raysearch" / stable_hash(storage) if "://" in storage else Path(storage)
        self.run = folder / "run"
        self.log = machine / "output"
        machine.mkdir()
        command = [sys.executable, "-m", "raysearch.run", *SMALL, "--name=run"]
        command += [f"--storage={storage}", "--slots=2", *options]
        cpus = sorted(os.sched_getaffinity(0))[:2]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env={**os.environ, "XDG_CACHE_HOME": str(machine)},
                preexec_fn=lambda: os.sched_setaffinity(0, cpus),
            )

    def epochs(self):
        """(trial, epoch) to its losses."""
        found = {}
        if (path := self.run / "trials.jsonl").exists():
            for event in read(path):
                if event.event == "epoch":
                    losses = (
                        event.data["metrics"]["train_loss"],
                        event.data["metrics"]["val_loss"],
                    )
                    found[event.trial, event.data["epoch"]] = losses
        return found

    def wait_for_epoch(self, timeout_s=900):
        deadline = time.monotonic() + timeout_s
        while not self.epochs():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.2)


@pytest.mark.slow
def test_two_slots_on_two_cpus_stream_from_a_bucket_what_a_host_holds(bucket, tmp_path):
    url = f"{bucket}/{tmp_path.name}"
    found = {}
    for tier in ("stream", "host"):
        one = Command(
            f"{url}-{tier}", tmp_path / tier, "--trials=3", f"--set=search.tier={tier}", TIGHT
        )
        assert one.process.wait(timeout=900) == 0, one.log.read_text()
        assert f"tier {tier}: asked for" in one.log.read_text()
        found[tier] = one.epochs()
    assert len({trial for trial, _ in found["stream"]}) == 3
    assert found["stream"] == found["host"]


@pytest.mark.slow
def test_a_signal_ends_a_streamed_search_soon_and_quietly(tmp_path):
    one = Command(
        str(tmp_path / "results"),
        tmp_path / "node",
        "--trials=2",
        "--set=training.epochs=500",
        "--set=search.scheduler=none",
        "--set=search.tier=stream",
    )
    try:
        one.wait_for_epoch()
        began = time.monotonic()
    finally:
        one.process.terminate()
    one.process.wait(timeout=300)
    printed = one.log.read_text()
    assert "Failed to connect to GCS" not in printed
    assert "Traceback" not in printed
    assert "--resume" in printed
    assert time.monotonic() - began < 60, printed
