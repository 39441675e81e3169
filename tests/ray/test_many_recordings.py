"""Many recordings are predicted with Ray's help: as alone, to the bit, and the bad ones told."""

import csv
import io
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from finished_run import finished_run

from raysearch.inference.emotion_model import load
from raysearch.inference.recognition import Scored, score_recordings
from raysearch.inference.recordings import Recording
from raysearch.serving.spread_features import spread_features

pytestmark = pytest.mark.ray

PREDICT = """
import sys
import raysearch.cli.predict
from raysearch.__main__ import main
raysearch.cli.predict.MANY = int(sys.argv.pop(1))
sys.exit(main(["predict", *sys.argv[1:], "--format", "csv"]))
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("finished"))


def predicted(many, *arguments, **environment):
    command = [sys.executable, "-c", PREDICT, str(many), *map(str, arguments)]
    # Several threads may round otherwise than Ray's tasks, which have one each.
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    return done.returncode, rows, done.stderr.splitlines()


def test_many_recordings_get_what_few_get_whatever_ray_address_is(finished, tmp_path):
    run, test, _ = finished
    sounds = [str(path) for path in [*test, tmp_path / "missing.wav"]]
    (tmp_path / "names.csv").write_text("path\n" + "\n".join(sounds * 6) + "\n")
    alone = predicted(10_000, run.best, tmp_path / "names.csv")
    code, rows, skipped = alone
    assert (code, len(rows), len(skipped)) == (0, 6 * len(test), 6)
    # Nothing answers there: only --address asks for a cluster.
    elsewhere = {"RAY_ADDRESS": "127.0.0.1:1"}
    assert predicted(20, run.best, tmp_path / "names.csv", **elsewhere) == alone


def test_the_nodes_of_a_cluster_are_sent_the_model(finished, cluster):
    run, test, expected_NK = finished
    recordings = [Recording(path.name, path) for path in test]
    model = load(run.best)
    features = spread_features(replace(cluster, local=False), model.folder, recordings)
    found = list(score_recordings(model, recordings, lambda done: None, features))
    assert all(isinstance(one, Scored) for one in found)
    probs = [list(one.prediction.probabilities.values()) for one in found]
    assert probs == expected_NK.tolist()


def test_two_may_predict_on_one_cluster(finished, cluster):
    run, test, _ = finished
    recordings = [Recording(path.name, path) for path in test]
    nodes = replace(cluster, local=False)
    with (
        closing(spread_features(nodes, run.best, recordings)) as one,
        closing(spread_features(nodes, run.best, recordings)) as other,
    ):
        first, second = next(one), next(other)
        assert first.keys() == second.keys()
        assert all(np.array_equal(first[key], second[key]) for key in first)
