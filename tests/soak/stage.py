"""What the soak takes place on: a Ray cluster of two nodes, a store and a disk, all its own."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
from flaky_store import FlakyStore
from ray.cluster_utils import Cluster
from small_disk import SmallDisk

from raysearch.config.identity import stable_hash

__all__ = ["Search", "Stage"]

HERE = Path(__file__).resolve().parent
NAME = "soak"
# A rank that stands still before it has taken a command is Ray Train's to end, after ten minutes.
PATIENCE = {
    "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": "120",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "120",
}
MOST_TRIES = 5
IP = "10.77.0.1"
NODE = {"num_cpus": 1, "object_store_memory": 200_000_000}


class Stage:
    """A head and a second node of one CPU each; the search's slots are one a node.

    Args:
        folder: of its own; Ray's sessions, the disk and what is printed go there.

    Attributes:
        store, disk: what the search writes to.
        folder: as given.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _make_network()
        _hide_other_rays(folder / "ray")
        self.store, self.disk = FlakyStore(), SmallDisk(folder / "disk")
        # The nodes' workers and the driver alike: what they import, and where they write.
        paths = (str(HERE.parents[1]), str(HERE), os.environ.get("PYTHONPATH", ""))
        os.environ |= {
            **self.store.environment,
            **PATIENCE,
            "XDG_CACHE_HOME": str(self.disk.folder),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }
        dashboard = {"include_dashboard": True, "dashboard_host": "127.0.0.1"}
        self._cluster = Cluster(
            initialize_head=True, shutdown_at_exit=False, head_node_args={**NODE, **dashboard}
        )
        self.add_node()

    @property
    def address(self) -> str:
        """Where a driver finds the cluster."""
        return str(self._cluster.address)

    def add_node(self) -> None:
        """A second node, or another in its place; Ray gives a busy machine half a minute."""
        for tries_left in reversed(range(MOST_TRIES)):
            try:
                self._second = self._cluster.add_node(**NODE)
                return
            except Exception:  # Ray raises no other
                if not tries_left:
                    raise

    def kill_node(self) -> str:
        """End the second node and all that runs on it; its identity."""
        (raylet,) = self._second.all_processes["raylet"]
        there = psutil.Process(raylet.process.pid).children(recursive=True)
        self._cluster.remove_node(self._second, allow_graceful=False)
        for process in there:  # one that stands still would outlive its machine
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return str(self._second.node_id)[:8]


def _make_network() -> None:
    """An address that is no loopback, by which Ray knows a node; it leads nowhere else."""
    for arguments in (
        "link set lo up",
        f"address add {IP}/32 dev lo",
        f"route add default dev lo src {IP}",
    ):
        subprocess.run(["ip", *arguments.split()], check=True)


def _hide_other_rays(folder: Path) -> None:
    """Ray keeps its sessions, and notes which is the latest, where others on this machine do."""
    usual = Path("/tmp/ray")
    usual.mkdir(exist_ok=True)
    folder.mkdir()
    subprocess.run(["mount", "--bind", folder, usual], check=True)


class Search:
    """``raysearch run`` in a process of its own.

    Args:
        stage: where it runs.
        trials: in all.

    Attributes:
        log: what it prints.
        process: its driver.
    """

    def __init__(self, stage: Stage, trials: int) -> None:
        self.url = stage.store.url
        self.log = stage.folder / "search.log"
        self._run = stage.disk.folder / "raysearch" / stable_hash(self.url) / NAME
        command = [sys.executable, "-m", "raysearch", "run", "--space", str(HERE / "space.yaml")]
        command += ["--storage", self.url, "--name", NAME, "--address", stage.address]
        command += ["--slots", "2", "--trials", str(trials)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    @property
    def over(self) -> bool:
        """Whether its driver has ended."""
        return self.process.poll() is not None

    @property
    def ledger(self) -> Path:
        """The driver's own copy of the ledger."""
        return self._run / "trials.jsonl"

    def end(self, patience_s: float) -> int:
        """Have it stop, if it has not; its exit code."""
        if not self.over:
            self.process.terminate()
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
