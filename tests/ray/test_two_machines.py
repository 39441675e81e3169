"""A search whose slots are on two nodes with disks of their own, from a bucket: needs root."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from ports import free_ports
from small_command import SMALL

from raysearch.config.identity import stable_hash
from raysearch.ledger import read

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("unshare"),
        reason="a second disk is a mount of its own, which takes root and unshare",
    ),
]

BIN = Path(sys.executable).parent
NODE = ["--num-cpus=1", "--node-ip-address=127.0.0.1", "--object-store-memory=200000000"]
TIGHT = "--set=search.stream_disk_gib=0.0005"  # one part of the demo corpus


class Machines:
    """A head and a second node; where the head keeps its cache, the second has another disk."""

    def __init__(self, folder, environment):
        self.cache, self.second = folder / "cache", folder / "second"
        for path in (self.cache, self.second):
            path.mkdir()
        (folder / "token").write_text("f" * 64)
        self.environment = {
            **environment,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
            "XDG_CACHE_HOME": str(self.cache),
            "PATH": f"{BIN}:{environment['PATH']}",
        }
        self.log = folder / "nodes.log"
        self._processes = []

    def start(self):
        port, dashboard, agent, client, other_agent = free_ports(5)
        self.address = f"127.0.0.1:{port}"
        head = ["ray", "start", "--head", "--block", f"--port={port}", *NODE]
        head += [f"--dashboard-port={dashboard}", "--dashboard-host=127.0.0.1"]
        head += [f"--dashboard-agent-listen-port={agent}", f"--ray-client-server-port={client}"]
        self._start(head)
        joined = ["ray", "start", "--block", f"--address={self.address}", *NODE]
        joined += [f"--dashboard-agent-listen-port={other_agent}"]
        mounted = f'mount --bind {self.second} {self.cache} && exec "$@"'
        self._wait_for(1)
        self._start(["unshare", "--mount", "--", "sh", "-c", mounted, "sh", *joined])
        self._wait_for(2)

    def _start(self, command):
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        self._processes.append(process)

    def _wait_for(self, num_nodes, timeout_s=180):
        deadline = time.monotonic() + timeout_s
        command = ["ray", "status", f"--address={self.address}"]
        while True:
            asked = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, check=False
            )
            if asked.stdout.count("1 node_") == num_nodes:
                return
            assert time.monotonic() < deadline, asked.stdout + asked.stderr + self.log.read_text()
            time.sleep(1)

    def close(self):
        for process in self._processes:
            for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            process.wait()


@pytest.fixture
def machines(bucket, tmp_path):
    made = Machines(tmp_path, dict(os.environ))
    try:
        made.start()
        yield made
    finally:
        made.close()


def raysearch(machines, verb, *options):
    command = [sys.executable, "-m", "raysearch", verb, *options, f"--address={machines.address}"]
    done = subprocess.run(
        command, env=machines.environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def searched(machines, url, tier):
    """The slots that trained, and (trial, epoch) to its losses."""
    options = [*SMALL, "--name=run", f"--storage={url}", "--slots=2", "--trials=4", TIGHT]
    options += [f"--set=search.tier={tier}", "--set=search.scheduler=none"]
    raysearch(machines, "run", *options)
    ledger = machines.cache / "raysearch" / stable_hash(url) / "run" / "trials.jsonl"
    epochs = [event for event in read(ledger) if event.event == "epoch"]
    losses = {
        (event.trial, event.data["epoch"]): (
            event.data["metrics"]["train_loss"],
            event.data["metrics"]["val_loss"],
        )
        for event in epochs
    }
    return {event.slot for event in epochs}, losses


def test_two_machines_stream_from_a_bucket_what_they_would_hold(machines, bucket, tmp_path):
    url = f"{bucket}/{tmp_path.name}"
    slots, streamed = searched(machines, f"{url}-stream", "stream")
    assert slots == {0, 1}
    on_second = list(machines.second.rglob("part-*.parquet"))
    assert sum(path.stat().st_size for path in on_second) < 2 * 0.0005 * 2**30
    assert on_second, "the second machine read nothing from the bucket"
    _, held = searched(machines, f"{url}-host", "host")
    assert streamed == held
    assert len({trial for trial, _ in streamed}) == 4


def test_a_group_of_two_machines_ends_with_a_model_that_is_evaluated(machines, bucket, tmp_path):
    url = f"{bucket}/{tmp_path.name}"
    options = [*SMALL, "--name=run", f"--storage={url}", "--trials=2", "--workers=2"]
    printed = raysearch(machines, "run", *options, "--final=auto")
    assert "final model: " in printed
    figures = raysearch(machines, "evaluate", f"{url}/run")
    assert "macro-F1" in figures
    pulled = [path.parent.name for path in machines.second.rglob("part-*.parquet")]
    assert pulled, "the second machine took no part in it"
