"""``raysearch doctor`` on a Ray of two nodes: what it finds, and that nothing makes it hang."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

COMMAND = [sys.executable, "-m", "raysearch", "doctor"]
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "7" * 64}


@pytest.fixture(scope="module")
def two_nodes():
    holder = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("two_nodes.py")],
        env={**os.environ, **TOKEN},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield json.loads(holder.stdout.readline())
    finally:
        holder.communicate()


@pytest.fixture
def doctor(two_nodes, tmp_path):
    def examined(*options, **environment):
        known = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        return subprocess.run(
            [*COMMAND, f"--address={two_nodes['address']}", *options],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**known, **environment},
            timeout=550,
        )

    return examined


def test_a_cluster_that_is_fit(doctor, tmp_path):
    done = doctor("--storage=shared", "--timeout=300", **TOKEN)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = {line.split()[1]: line for line in done.stdout.splitlines()[:-1]}
    assert "2 living nodes: 2 CPUs" in lines["nodes"]
    assert "alike on 3 machines" in lines["versions"]
    shared = f"{tmp_path / 'shared'}: shared and writable by this machine and 2 nodes"
    assert shared in lines["storage"]
    assert "gloo all-reduce of 64 MiB over 2 nodes" in lines["bandwidth"]
    assert "gcs_server" in lines["ports"]
    assert lines["token"].startswith("ok ")
    assert "refuse a call without it" in lines["token"]
    assert done.stdout.splitlines()[-1].startswith("the cluster at ")
    assert not (tmp_path / "shared").exists()


@pytest.mark.parametrize(
    ("environment", "code", "told"),
    [
        ({**TOKEN, "RAY_AUTH_TOKEN": "8" * 64}, 4, "refuses this token"),
        ({"RAY_AUTH_MODE": "disabled"}, 4, "wants a token: export RAY_AUTH_MODE=token"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/nowhere"}, 2, "no such token file"),
    ],
)
def test_a_wrong_or_missing_token_is_one_line(doctor, environment, code, told):
    done = doctor(**environment)
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert told in line


def test_a_node_that_hangs_is_a_line_and_no_hang(doctor, two_nodes):
    os.kill(two_nodes["raylet"], signal.SIGSTOP)
    try:
        done = doctor("--timeout=10", **TOKEN)
    finally:
        os.kill(two_nodes["raylet"], signal.SIGCONT)
    assert done.returncode == 4
    lost = [line for line in done.stdout.splitlines() if "no answer within 10 s" in line]
    assert any(f"({two_nodes['second'][:6]})" in line for line in lost), done.stdout
