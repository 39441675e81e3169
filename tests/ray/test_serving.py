"""A model in use: served by the verb on a private Ray, and on a cluster's nodes; the four ways.

The verb has an ensemble that was searched for; the nodes have the unit tests' network and partner,
with random weights.
"""

import contextlib
import csv
import dataclasses
import io
import json
import os
import shutil
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
from final_models import use
from ports import free_ports

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from finished_run import finished_run

import raysearch
from raysearch.errors import UserError
from raysearch.evaluation.evaluate import final_arm
from raysearch.features.audio import read_waveform
from raysearch.inference.export import TOLERANCE
from raysearch.inference.graph import ModelGraph
from raysearch.ray_cluster.ray_internals import SERVE_CONTROLLER, SERVE_NAMESPACE
from raysearch.reporting.best_model import write_best
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
    """What the model says of each recording."""
    best, paths = finished
    return [dict(one.probabilities) for one in in_one_thread(raysearch.load(best), paths)]


def in_one_thread(model, paths):
    """Its predictions as a replica's CPU makes them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = [model.predict(*soundfile.read(path, dtype="float32")) for path in paths]
    torch.set_num_threads(threads)
    return found


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


@dataclasses.dataclass(frozen=True)
class Verb:
    """``raysearch serve``, up: the process, what it printed so far, and where it answers."""

    process: subprocess.Popen
    lines: list[str]
    log: Path
    url: str


@pytest.fixture(scope="module")
def alone(finals, storage, tmp_path_factory):
    """An ensemble's ``best/``, alone in a folder with some recordings; its run is out of reach."""
    use(finals, "ensemble")
    split = final_arm(finals, finals.spec(), storage).audited.split
    write_best(finals, finals.spec(), finals.trials(), split.labels, {})
    folder, aside = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("aside")
    best = Path(shutil.copytree(finals.best, folder / "best"))
    (folder / "sounds").mkdir()
    sounds = [Path(utterance.path) for utterance in split.test[:6]]
    places = [folder / "sounds" / f"{number}{one.suffix}" for number, one in enumerate(sounds)]
    paths = [Path(shutil.copy(*both)) for both in zip(sounds, places, strict=True)]
    hidden = finals.root.rename(aside / "run")
    yield best, paths
    hidden.rename(finals.root)


@pytest.fixture(scope="module")
def verb(alone, tmp_path_factory):
    best, _ = alone
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "raysearch", "serve", "best", "--replicas=2"]
    command += [f"--port={port}", "--max-mib=1", "--max-seconds=5"]
    log = tmp_path_factory.mktemp("verb") / "stderr"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=best.parent
        ) as process,
        ended(process),
    ):
        lines = list(iter(process.stdout.readline, "Ctrl-C ends it\n"))
        yield Verb(process, lines, log, f"http://127.0.0.1:{port}")


def test_four_ways_say_the_same_of_a_recording(alone, verb):
    """By command, in Python, over HTTP and in onnxruntime, each with ``best/`` and nothing else."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    best, (path, *_) = alone
    (row,) = csv.DictReader(io.StringIO(said("predict", best, path, "--format=csv")))
    command = {name[2:]: float(row[name]) for name in row if name.startswith("p_")}
    python = in_one_thread(raysearch.load(best), [path])[0]
    http = ask(verb.url, path.read_bytes()).json()
    graph = best.parent / "model.onnx"
    said("export", best, "--format=onnx", "--audio", path.parent, "--output", graph)
    onnx = by_graph(onnxruntime.InferenceSession(str(graph)), graph, best, path)
    labels = [row["label"], python.label, http["label"], max(onnx, key=onnx.get)]
    assert labels == [python.label] * 4
    assert command == http["probabilities"] == dict(python.probabilities)
    assert onnx == pytest.approx(command, abs=TOLERANCE)
    assert len({round(one, 3) for one in command.values()}) > 1, "it says something"


def said(*arguments):
    """What a verb prints; on one CPU, as a replica."""
    command = [sys.executable, "-m", "raysearch", *map(str, arguments)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    folder = arguments[1].parent
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=env, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def by_graph(session, graph, best, path):
    """What the exported graph gives in another runtime, by label."""
    told = json.loads(graph.with_suffix(".json").read_text())
    arrays = ModelGraph(raysearch.load(best)).arrays(read_waveform(path))
    (probs_K,) = session.run(None, arrays)
    return dict(zip(told["labels"], map(float, probs_K), strict=True))


def test_the_verb_answers_many_at_once_and_keeps_its_limits(alone, verb):
    best, paths = alone
    model = raysearch.load(best)
    assert verb.lines[0].endswith(f": 2 replicas of {len(model.nets)} nets\n")
    assert f"page:    {verb.url}/\n" in verb.lines
    assert requests.get(f"{verb.url}/health", timeout=60).json()["status"] == "ok"
    assert "<h1>Emotion in a recording</h1>" in requests.get(verb.url, timeout=60).text
    expected = [dict(one.probabilities) for one in in_one_thread(model, paths)]
    check_answers(verb.url, paths, expected)
    assert ask(verb.url, bytes(2 << 20)).status_code == 413
    assert ask(verb.url, iter([bytes(1 << 19)] * 4)).status_code == 413
    assert ask(verb.url, seconds(6)).status_code == 422
    windows = ask(verb.url, seconds(4), params={"timeline": "1"}).json()["timeline"]
    assert [one["end_s"] for one in windows] == [3.0, 4.0]


def test_the_verb_ends_as_it_is_told_and_leaves_nothing(verb):
    family = psutil.Process(verb.process.pid).children(recursive=True)
    assert family
    verb.process.send_signal(signal.SIGTERM)
    verb.process.wait(60)
    assert (verb.process.returncode, verb.log.read_text()) == (0, "raysearch: ending\n")
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
