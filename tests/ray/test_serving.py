"""A model behind HTTP, by Ray Serve: the whole verb on a private Ray, and a cluster's nodes.

The model is that of the unit tests: a network and its partner, with random weights.
"""

import contextlib
import dataclasses
import io
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import ray
import requests
import soundfile
import torch
from ports import free_ports

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from finished_run import finished_run

import raysearch
from raysearch.errors import UserError
from raysearch.ray_cluster.ray_internals import SERVE_CONTROLLER, SERVE_NAMESPACE
from raysearch.serving.bearer import ServerToken
from raysearch.serving.limits import Limits
from raysearch.serving.serve_session import Place, serving
from raysearch.serving.web_app import ServerFacts

pytestmark = pytest.mark.ray

TOKEN = "a-token-of-enough-letters"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run, test, _ = finished_run(tmp_path_factory.mktemp("finished"))
    return run.best, test


@pytest.fixture(scope="module")
def expected(finished):
    """What the model says of each recording, on one CPU as a replica is."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = raysearch.load(finished[0])
    found = [model.predict(*soundfile.read(path, dtype="float32")) for path in finished[1]]
    torch.set_num_threads(threads)
    return [dict(one.probabilities) for one in found]


def ask(url, content, **options):
    return requests.post(f"{url}/predict", data=content, timeout=60, **options)


def check_answers(url, paths, expected, **options):
    """Many requests at once, bad ones among them."""
    contents = [path.read_bytes() for path in paths]
    with ThreadPoolExecutor(12) as pool:
        good = list(pool.map(lambda content: ask(url, content, **options), contents * 4))
        bad = list(pool.map(lambda content: ask(url, content, **options), [b"no audio", b""] * 3))
    assert [one.json()["probabilities"] for one in good] == expected * 4
    assert {one.status_code for one in bad} == {422, 400}
    assert all(set(one.json()) == {"error"} for one in bad)


def test_the_verb_serves_until_it_is_told_to_end(finished, expected, tmp_path):
    best, paths = finished
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "raysearch", "serve", str(best), "--replicas=2"]
    command += [f"--port={port}", "--max-mib=1", "--max-seconds=5"]
    url = f"http://127.0.0.1:{port}"
    log, family = tmp_path / "stderr", []
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
        ended(process),
    ):
        lines = list(iter(process.stdout.readline, "Ctrl-C ends it\n"))
        family = psutil.Process(process.pid).children(recursive=True)
        assert lines[0] == "starting run: 2 replicas of 2 nets\n"
        assert f"page:    {url}/\n" in lines
        assert requests.get(f"{url}/health", timeout=60).json()["status"] == "ok"
        assert "<h1>Emotion in a recording</h1>" in requests.get(url, timeout=60).text
        check_answers(url, paths, expected)
        assert ask(url, bytes(2 << 20)).status_code == 413
        assert ask(url, iter([bytes(1 << 19)] * 4)).status_code == 413
        assert ask(url, seconds(6)).status_code == 422
        windows = ask(url, seconds(4), params={"timeline": "1"}).json()["timeline"]
        assert [one["end_s"] for one in windows] == [3.0, 4.0]
    assert (process.returncode, log.read_text()) == (0, "raysearch: ending\n")
    assert family
    assert living(family) == [], "nothing is left running"


@contextlib.contextmanager
def ended(process):
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def seconds(number):
    file = io.BytesIO()
    noise_N = np.random.default_rng(0).normal(0, 0.1, 8000 * number)
    soundfile.write(file, noise_N, 8000, format="WAV")
    return file.getvalue()


def living(processes):
    ends = time.monotonic() + 15
    while time.monotonic() < ends and any(one.is_running() for one in processes):
        time.sleep(0.2)
    found = []
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(" ".join(one.cmdline())[:100])
    return found


def test_nodes_of_a_cluster_are_sent_the_model(cluster, finished, expected):
    best, paths = finished
    elsewhere = dataclasses.replace(cluster, local=False)
    facts = ServerFacts("a-run", ("angry", "calm", "sad"), Limits(), ServerToken(TOKEN).digest)
    place, said = Place("127.0.0.1", *free_ports(1)), []
    url = f"http://127.0.0.1:{place.port}"
    with serving(elsewhere, best, facts, place, 1, said.append):
        assert ask(url, paths[0].read_bytes()).status_code == 401
        check_answers(url, paths, expected, headers={"Authorization": f"Bearer {TOKEN}"})
        with (
            pytest.raises(UserError, match="already runs on this cluster"),
            serving(elsewhere, best, facts, place, 1, said.append),
        ):
            pass
        assert requests.get(f"{url}/health", timeout=60).ok, "the first one goes on"
    assert said == [], "there was a CPU"
    with pytest.raises(ValueError, match="Failed to look up actor"):
        ray.get_actor(SERVE_CONTROLLER, namespace=SERVE_NAMESPACE)
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=60)
