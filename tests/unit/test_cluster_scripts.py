"""The scripts beside the cluster files, run for real; only the tools they call stand in."""

import http.server
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar

import pytest
from stand_ins import NOTE, calls, stand_ins

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
SCRIPTS = sorted(file.name for file in (*CLUSTER.glob("*.sh"), CLUSTER / "slurm.sbatch"))
SHELLCHECK = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_finds_nothing(script):
    ran = subprocess.run(
        [str(SHELLCHECK), str(CLUSTER / script)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout


class Metadata(http.server.BaseHTTPRequestHandler):
    """A cloud's metadata server that announces the node's end at the third question."""

    asked: list[str]
    notices: ClassVar = {
        "/latest/meta-data/spot/instance-action": b'{"action": "terminate"}',
        "/computeMetadata/v1/instance/preempted": b"TRUE",
    }

    def do_PUT(self) -> None:
        self._answer(b"session" if self.path == "/latest/api/token" else b"")

    def do_GET(self) -> None:
        allowed = "X-aws-ec2-metadata-token" in self.headers or "Metadata-Flavor" in self.headers
        self.asked.append(self.path)
        due = len(self.asked) >= 3 and allowed
        self._answer(self.notices.get(self.path, b"") if due else b"")

    def _answer(self, body: bytes) -> None:
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.mark.parametrize(("cloud", "seconds"), [("aws", 110), ("gcp", 25)])
def test_spot_notice_drains_the_node(tmp_path, cloud, seconds):
    handler = type("Server", (Metadata,), {"asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tools = stand_ins(tmp_path / "tools", ray=NOTE, python=NOTE + "echo abc123\n")
    try:
        subprocess.run(
            ["bash", str(CLUSTER / "spot_drain.sh"), cloud, "10.0.0.7:6379"],
            env={
                "PATH": f"{tools}:{os.environ['PATH']}",
                "CALLS": str(tmp_path / "calls"),
                "TMPDIR": str(tmp_path),
                "RAYSEARCH_METADATA_URL": f"http://127.0.0.1:{server.server_port}",
                "RAYSEARCH_DRAIN_POLL_S": "0.01",
                "no_proxy": "*",
            },
            check=True,
            timeout=60,
        )
    finally:
        server.shutdown()
        server.server_close()
    assert len(handler.asked) == 3
    (drain,) = [c for c in calls({"CALLS": str(tmp_path / "calls")}) if c.startswith("ray ")]
    assert "drain-node --address 10.0.0.7:6379 --node-id abc123" in drain
    assert "--reason DRAIN_NODE_REASON_PREEMPTION" in drain
    assert drain.endswith(f"--deadline-remaining-seconds {seconds}")


def test_ray_has_the_drain_command_that_the_script_calls():
    """It is hidden, and no part of Ray's stable interface."""
    from ray.scripts.scripts import drain_node

    options = {name: option for option in drain_node.params for name in option.opts}
    called = ("--address", "--node-id", "--reason", "--reason-message")
    assert {*called, "--deadline-remaining-seconds"} <= set(options)
    assert "DRAIN_NODE_REASON_PREEMPTION" in options["--reason"].type.choices


def test_nodes_that_do_not_join_in_time_are_counted():
    spec = importlib.util.spec_from_file_location("wait_for_nodes", CLUSTER / "wait_for_nodes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(TimeoutError, match=f"0 of 2 nodes joined {address} within 0.1 s"):
        module.wait_for_nodes(address, 2, 0.1)


@pytest.fixture
def node(tmp_path):
    """A node as the launcher leaves it: the project's files and the token, and a Python."""
    project = tmp_path / "raysearch"
    (project / "cluster").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt", "cluster/setup_node.sh"):
        shutil.copy(ROOT / name, project / name)
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("0" * 64)
    (tmp_path / ".ray" / "auth_token").chmod(0o644)
    make_venv = 'if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/pip"; fi\n'
    tools = stand_ins(tmp_path / "tools", python3=NOTE + make_venv)
    return tmp_path, {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "CALLS": str(tmp_path / "calls"),
    }


def setup_node(node, *packages: str) -> subprocess.CompletedProcess[str]:
    home, environment = node
    return subprocess.run(
        ["bash", str(home / "raysearch" / "cluster" / "setup_node.sh"), *packages],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_setup_installs_the_pins_once(node):
    home, environment = node
    for _ in range(2):
        ran = setup_node(node, "boto3")
        assert ran.returncode == 0, ran.stderr
    (install,) = [c for c in calls(environment) if c.startswith("pip")]
    assert install.endswith("-c constraints.txt -e . boto3")
    assert (home / ".ray" / "auth_token").stat().st_mode & 0o777 == 0o600
    profile = (home / ".bashrc").read_text().splitlines()
    assert profile == [
        f'export PATH="{home}/raysearch/.venv/bin:$PATH"',
        "export RAY_AUTH_MODE=token",
    ]


def test_setup_installs_again_when_the_pins_change(node):
    home, environment = node
    setup_node(node)
    with (home / "raysearch" / "constraints.txt").open("a") as file:
        file.write("another==1\n")
    setup_node(node)
    assert len([c for c in calls(environment) if c.startswith("pip")]) == 2


def test_setup_without_a_token_is_refused(node):
    home, environment = node
    (home / ".ray" / "auth_token").unlink()
    ran = setup_node(node)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert "auth_token is missing or empty" in line
    assert calls(environment) == []


def test_gcp_setup_creates_only_what_is_missing(tmp_path):
    exists = '[[ "$*" != *describe* || "$*" == *networks\\ describe* ]]\n'
    environment = {
        "PATH": f"{stand_ins(tmp_path / 'tools', gcloud=NOTE + exists)}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
    }
    subprocess.run(
        ["bash", str(CLUSTER / "gcp_setup.sh"), "up", "my-project", "europe-west4"],
        env=environment,
        check=True,
        capture_output=True,
    )
    made = [c for c in calls(environment) if " create " in c]
    assert not [c for c in made if c.startswith("gcloud compute networks create")]
    assert all("--project my-project" in c for c in calls(environment))
    sources = [part for c in made for part in c.split() if part.startswith("35.")]
    assert sources == ["35.235.240.0/20"]
    (bucket,) = [c for c in made if "buckets create" in c]
    assert "gs://raysearch-my-project" in bucket
    assert "--public-access-prevention" in bucket


def test_gcp_setup_down_keeps_the_bucket_and_says_so(tmp_path):
    environment = {
        "PATH": f"{stand_ins(tmp_path / 'tools', gcloud=NOTE)}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
    }
    ran = subprocess.run(
        ["bash", str(CLUSTER / "gcp_setup.sh"), "down", "my-project"],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "kept: gs://raysearch-my-project" in ran.stdout
    assert not [c for c in calls(environment) if "storage" in c]
