"""Searches as jobs of a cluster: sent, watched, stopped, resumed, refused; a head of our own."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

SMALL = [
    "--space=emohrnet",
    "--max-epochs=2",
    "--set=features.mel.n_mels=20",
    "--set=features.mel.hop_ms=20",
    "--set=training.clip_s=1",
    "--set=model.width=8",
    "--set=model.branches=2",
    "--set=model.blocks=1",
    "--set=model.stem_width=16",
]


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    """The environment that names a head of two CPUs with a token, ended by its own process id."""
    folder = tmp_path_factory.mktemp("head")
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
        deadline = time.monotonic() + 120
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


def raysearch(*arguments, env, **options):
    command = [sys.executable, "-m", "raysearch", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=env, timeout=400, cwd="/", **options
    )


def one_line(result, code, words):
    assert result.returncode == code, result.stdout + result.stderr
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr


def test_a_submitted_search_runs_and_outlives_its_job(head, tmp_path):
    storage = tmp_path / "storage"
    sent = raysearch("submit", *SMALL, "--trials=2", "--name=one", f"--storage={storage}", env=head)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert f"run: {storage}/one" in sent.stdout
    assert sent.stderr == ""
    log = raysearch("logs", "one", "--follow", env=head)
    assert log.returncode == 0, log.stderr
    assert "2 trials: " in log.stdout
    assert "Traceback" not in log.stdout
    assert "job_manager" not in log.stdout
    known = raysearch("status", "one", env=head)
    assert known.stdout.startswith(f"{storage}/one: finished")
    assert "trials: 2 of 2 ended; best: trial" in known.stdout
    assert f"{storage}/one" in raysearch("list", env=head).stdout
    # Without the cluster its run still tells.
    gone = {**head, "RAY_API_SERVER_ADDRESS": "http://127.0.0.1:1"}
    kept = raysearch("status", storage / "one", env=gone)
    assert kept.stdout.startswith(f"{storage}/one: finished"), kept.stderr
    assert raysearch("logs", storage / "one", env=gone).stdout == log.stdout
    assert (storage / "one" / "best" / "weights.safetensors").exists()
    # A name that is taken is refused there, told here, and leaves no job.
    again = raysearch("submit", *SMALL, "--name=one", f"--storage={storage}", env=head)
    one_line(again, 2, "a run of this name exists")
    assert raysearch("list", env=head).stdout.count("/one") == 1


def test_a_stopped_search_goes_on_in_another_job(head, tmp_path):
    storage = tmp_path / "storage"
    long = [*SMALL, "--max-epochs=400", "--slots=1", "--set=search.scheduler=none"]
    sent = raysearch("submit", *long, "--trials=1", "--name=two", f"--storage={storage}", env=head)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    early = raysearch("resume", "two", env=head)
    one_line(early, 2, "nothing to resume")
    ledger = storage / "two" / "trials.jsonl"
    while not (ledger.exists() and '"epoch"' in ledger.read_text()):
        time.sleep(0.5)
    stopped = raysearch("stop", "two", env=head)
    assert stopped.returncode == 0, stopped.stderr
    assert f"raysearch resume {storage}/two" in stopped.stdout
    trained = last_epoch(ledger)
    assert 0 < trained < 400
    assert list((storage / "two" / "checkpoints").glob("*/*"))
    assert "two: stopped" in raysearch("status", "two", env=head).stdout
    resumed = raysearch("resume", f"{storage}/two", env=head)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    while last_epoch(ledger) <= trained:
        time.sleep(0.5)
    epochs = [e["epoch"] for e in events(ledger) if e["event"] == "epoch"]
    assert epochs == sorted(set(epochs)), "an epoch twice"
    assert raysearch("stop", "two", env=head).returncode == 0


def test_two_searches_share_the_cluster(head, tmp_path):
    storage = tmp_path / "storage"
    both = [*SMALL, "--trials=3", f"--storage={storage}", "--cpus-per-worker=2"]
    for name in ("first", "second"):
        sent = raysearch("submit", *both, f"--name={name}", env=head)
        assert sent.returncode == 0, sent.stdout + sent.stderr
    logs = {
        name: raysearch("logs", name, "--follow", env=head).stdout for name in ("first", "second")
    }
    assert all("3 trials: " in log for log in logs.values()), logs
    assert "waiting in the queue, place 1" in logs["second"], logs["second"]
    assert "no longer waiting" in logs["second"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["submit", "--space=emohrnt", "--storage=/x"], 2, "did you mean 'emohrnet'"),
        (["submit", "--space=emohrnet", "--storage=results"], 2, "--storage results"),
        (["submit", "--space=emohrnet", "--storage=ftp://x/y"], 2, "ftp://x/y"),
        (["submit", "--space=emohrnet", "--storage=/x", "--data=EMO-DB"], 2, "--data EMO-DB"),
        (["submit", "--space=emohrnet", "--storage=/x", "--name=a/b"], 2, "--name a/b"),
        (["submit", "--space=emohrnet", "--storage=/x", "--env=A"], 2, "NAME=VALUE"),
        (["submit", "--space=emohrnet", "--storage=/proc/nowhere"], 4, "/proc/nowhere"),
        (["status", "never"], 2, "no such job"),
        (["stop", "never"], 2, "no such job"),
        (["logs", "/nowhere/never"], 2, "not a run"),
        (["list", "--address=127.0.0.1:1"], 2, "dashboard's address"),
        (["list", "--address=http://127.0.0.1:1"], 4, "no cluster answers"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(head, arguments, code, words):
    one_line(raysearch(*arguments, env=head), code, words)


def test_a_wrong_token_is_one_line(head, tmp_path):
    one_line(raysearch("list", env={**head, "RAY_AUTH_TOKEN": "a" * 64}), 2, "refuses this token")
    without = {**head, "RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")}
    one_line(raysearch("list", env=without), 2, "asks for its token")


def events(ledger):
    lines = ledger.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def last_epoch(ledger):
    return max((e["epoch"] for e in events(ledger) if e["event"] == "epoch"), default=0)
