"""A Ray head of its own on loopback, which asks for a token, and commands that are told of it."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from ports import free_ports

__all__ = ["own_head", "raysearch"]

START_S = 120


@contextmanager
def own_head(folder: Path) -> Iterator[dict[str, str]]:
    """Start a head of two CPUs, and end it by its own process id.

    Args:
        folder: of its token and its log.

    Yields:
        The environment in which commands find it.
    """
    (folder / "token").write_text("f" * 64)
    port, dashboard, agent, client = free_ports(4)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}",
    }
    environment.pop("RAY_ADDRESS", None)
    command = ["ray", "start", "--head", "--block", "--num-cpus=2", "--disable-usage-stats"]
    command += [f"--port={port}", f"--dashboard-port={dashboard}", "--dashboard-host=127.0.0.1"]
    command += [f"--dashboard-agent-listen-port={agent}", f"--ray-client-server-port={client}"]
    command += ["--node-ip-address=127.0.0.1", "--object-store-memory=200000000"]
    with (folder / "head.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S
        while (asked := raysearch("list", env=environment)).returncode != 0:
            assert process.poll() is None, (folder / "head.log").read_text()
            assert time.monotonic() < deadline, asked.stderr
            time.sleep(1)
        yield environment
    finally:
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def raysearch(*arguments: object, env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the command in ``env``; what it printed, and its exit code."""
    command = [sys.executable, "-m", "raysearch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=400, cwd="/")
