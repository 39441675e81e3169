"""A paper's figure made again on ten speakers of noise: every arm, once, and the verb around it."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from raysearch.evaluation.reproduce import reproduce, stored_reproduction
from raysearch.evaluation.reproduction_plan import Winner, planned
from raysearch.run_folder import RunFolder
from raysearch.run_lease import RunLease
from raysearch.spec import SearchSpec
from raysearch.streaming.preparation import prepare_split
from raysearch.tuning.tuner import Watcher

pytestmark = pytest.mark.ray

NUM_SPEAKERS, PER_CLASS = 10, 2


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A manifest of ten speakers with two recordings of two classes each."""
    folder, draws = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)
    lines = ["path,speaker,emotion"]
    for speaker in range(NUM_SPEAKERS):
        for emotion in ("joy", "anger"):
            for take in range(PER_CLASS):
                name = f"{speaker}-{emotion}-{take}.wav"
                soundfile.write(folder / name, draws.uniform(-0.1, 0.1, 11_025), 22_050)
                lines.append(f"{name},{speaker},{emotion}")
    (folder / "m.csv").write_text("\n".join(lines))
    return folder / "m.csv"


def test_each_net_is_made_once_and_the_steps_add_up(table, cluster, tmp_path):
    spec = SearchSpec.load(
        "cnn1d_attention",
        [
            "corpus.name=manifest",
            f"corpus.data={table}",
            "training.epochs=2",
            # More rows than cells: they begin again.
            "published.expansion.other={number: 6, source: assumed}",
        ],
    )
    plan = planned(
        spec, prepare_split(spec, tmp_path).corpus, Winner(spec.base), cap=1, num_seeds=1
    )
    run, said = RunFolder(tmp_path / "again"), []

    def made():
        said.clear()
        with RunLease.acquire(run.root) as lease:
            run.open(spec, resume=run.spec_file.exists())
            watcher = Watcher(said.append, lambda *counts: None)
            return reproduce(plan, run, lease, cluster, storage=tmp_path, watcher=watcher)

    found = made()
    assert "training 4 arms: 20 of 20 nets are missing" in said
    steps = found["steps"]
    whole = found["arms"]["winner-honest"]["ua"]["mean"] - steps[0]["before"]
    assert sum(step["difference"] for step in steps) == pytest.approx(whole)
    assert [step["verdict"] for step in steps].count("cannot be tested") == 2
    paper = found["arms"]["published-paper"]
    total = NUM_SPEAKERS * 2 * PER_CLASS
    assert sum(map(sum, paper["confusion"])) == total
    assert sum(map(sum, paper["with_copies"]["confusion"])) == 6 * total
    assert not paper["valid"]
    assert made() == found
    assert not any("training" in line for line in said), "every net is kept"
    assert stored_reproduction(run, plan) == json.loads(json.dumps(found))
    text = (run.root / "reproduction.md").read_text()
    assert "| published | the paper's | 1 of 100 |" in text


@pytest.mark.slow
def test_the_verb_searches_and_goes_on(table, tmp_path):
    def raysearch(*arguments):
        command = [sys.executable, "-m", "raysearch", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=400)
        assert done.returncode == 0, done.stderr
        return done.stdout

    data = ["--corpus=manifest", f"--data={table}", "--max-epochs=2", "--set=search.inner_folds=1"]
    command = ["reproduce", "cnn1d_attention", *data, "--trials=1", "--epochs=1", "--name=again"]
    planned_only = raysearch(*command, "--dry-run")
    assert "the search, at most" in planned_only
    assert not (tmp_path / "results/again").exists()
    shown = raysearch(*command)
    assert "20 of 20 nets are missing" in shown
    assert "settings saw these speakers" in shown
    lost, *kept = sorted((tmp_path / "results/again/arms").glob("*/*/seed-1"))
    written = [(one / "weights/best.safetensors").stat().st_mtime_ns for one in kept]
    shutil.rmtree(lost)
    (tmp_path / "results/again/reproduction.json").unlink()
    resumed = raysearch(*command)
    assert "1 of 20 nets are missing" in resumed
    assert [(one / "weights/best.safetensors").stat().st_mtime_ns for one in kept] == written
    assert resumed.split("reproduction  ")[1] == shown.split("reproduction  ")[1]
    again = raysearch(*command)
    assert "reproduced before" in again
    assert again.split("reproduction  ")[1] == shown.split("reproduction  ")[1]
    nested = raysearch(*command, "--nested")
    assert "searching inside fold 4" in nested
    assert "settings saw these speakers" not in nested
    taken = raysearch("reproduce", "cnn1d_attention", "--run=results/again-search", "--epochs=1")
    assert "the search, at most" not in taken
