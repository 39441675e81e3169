"""TensorBoard and optuna-dashboard of a run: they answer, and nothing of them stays."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from raysearch.__main__ import main
from raysearch.cli.dashboards import servers_of
from raysearch.errors import InfrastructureError
from raysearch.run_folder import RunFolder
from raysearch.service.local_servers import LocalServer, free_port, running

LEDGERS = Path(__file__).parents[1] / "replay" / "ledgers"
# Serves a page, and has a child of its own that holds on to nothing but life.
SERVER = """
import http.server, subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.BaseHTTPRequestHandler
).serve_forever()
"""


@pytest.fixture
def run(tmp_path):
    shutil.copytree(LEDGERS / "cnn", tmp_path / "run")
    (tmp_path / "run/tensorboard").mkdir()
    return RunFolder(tmp_path / "run")


def small_server():
    port = free_port(0)
    return LocalServer("small", [sys.executable, "-c", SERVER, str(port)], port)


def descendants():
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_servers_answer_while_the_with_lasts_and_leave_no_process():
    before = descendants()
    first, second = small_server(), small_server()
    with running([first, second]) as started:
        groups = descendants() - before
        assert len(groups) == 4
        for server in (first, second):
            socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
        started.check()
    assert _gone(groups)


def _gone(pids):
    """Whether the processes end within seconds: the system reaps those that have lost theirs."""
    until = time.monotonic() + 10
    while any(map(_lives, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(_lives, pids))


def _lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_one_that_ends_is_told_with_its_last_line_and_the_others_end():
    before = descendants()
    port = free_port(0)
    broken = LocalServer("broken", [sys.executable, "-c", "raise SystemExit('no luck')"], port)
    with (
        pytest.raises(InfrastructureError, match="broken ended: no luck"),
        running([small_server(), broken]),
    ):
        pytest.fail("it has not started")
    assert descendants() <= before


def test_a_port_that_is_taken_is_left_alone():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def test_what_cannot_be_shown_is_said(run, monkeypatch, capsys):
    servers, notes = servers_of(run)
    assert [server.name for server in servers] == ["TensorBoard"]
    assert notes == ["optuna-dashboard: the run has no study here; a bucket keeps none"]
    run.study_file.touch()
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    _, (note,) = servers_of(run)
    assert note == "optuna-dashboard: not installed: pip install 'raysearch[dashboard]'"
    (run.root / "tensorboard").rmdir()
    assert main(["dashboards", str(run.root)]) == 2
    assert "nothing to show: TensorBoard: the run has no curves here" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_tensorboard_shows_the_run_until_a_signal_comes(run, tmp_path, number):
    command = [sys.executable, "-m", "raysearch", "dashboards", str(run.root)]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            command,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_environment(),
            # Whoever runs the tests in the background may have SIGINT ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    try:
        address = _address(tmp_path / "said", process)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address) as page:
            assert b"TensorBoard" in page.read()
        left = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        assert left
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
        assert _gone(left)
    finally:
        process.kill()
        process.wait()


def _environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def _address(path, process):
    begun = time.monotonic()
    while time.monotonic() - begun < 120 and process.poll() is None:
        for line in path.read_text().splitlines():
            if line.startswith("TensorBoard: http://127.0.0.1:"):
                return line.split()[-1]
        time.sleep(0.2)
    pytest.fail(path.read_text())
