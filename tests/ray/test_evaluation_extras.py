"""Noise, ablations and the leak study, each by its command, on one small search."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.ray

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


def raysearch(*arguments, cwd):
    command = [sys.executable, "-m", "raysearch", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=400)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extras")
    settings = ["--set=model.fuse_attention=se", "--set=search.published_first=false"]
    raysearch("run", *SMALL, *settings, "--trials=1", "--name=one", "--quiet", cwd=folder)
    return folder


def test_noise_is_scored_with_the_same_weights(folder):
    shown = raysearch("evaluate", "results/one", "--noise", cwd=folder)
    assert "white noise" in shown
    run = folder / "results" / "one"
    levels = json.loads((run / "noise.json").read_text())["levels"]
    fold = json.loads((run / "evaluation.json").read_text())
    assert [level["snr_db"] for level in levels] == [None, 20, 10, 5, 0]
    assert levels[0]["ua"] == fold["ua"]
    assert levels[-1]["confusion"] != levels[0]["confusion"]
    assert "stored figures" in raysearch("evaluate", "results/one", "--noise", cwd=folder)


def test_ablations_are_retrained_beside_the_winner(folder):
    shown = raysearch("ablate", "results/one", "--only=attention,prosody", cwd=folder)
    assert "skipped, the winner has no prosody" in shown
    run = folder / "results" / "one"
    found = json.loads((run / "ablations.json").read_text())
    assert found["ablations"]["attention"]["changes"] == {"model.fuse_attention": "none"}
    assert found["ablations"]["attention"]["comparison"]["verdict"] == "cannot be tested"
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert found["winner"]["ua"] == evaluation["ua"]
    weights = [run / f"ablations/attention/seed-{n}/weights/best.safetensors" for n in (1, 2, 3)]
    assert all(path.is_file() for path in weights)
    assert "stored figures" in raysearch("ablate", "results/one", "--only=attention", cwd=folder)


def test_the_leak_study_has_four_arms(folder):
    shown = raysearch("leak-study", *SMALL, "--name=leak", cwd=folder)
    assert "Augmented siblings in the test give" in shown
    found = json.loads((folder / "results" / "leak" / "leak_study.json").read_text())
    assert set(found["arms"]) == {"A", "B", "C", "D"}
    ua = {name: figures["ua"]["mean"] for name, figures in found["arms"].items()}
    assert found["siblings"] == pytest.approx(ua["A"] - ua["B"])
    assert found["speakers"] == pytest.approx(ua["B"] - ua["C"])
    assert "augmented_test" in found["arms"]["A"]


def test_winners_are_scored_on_each_others_corpora(folder):
    # The demo is a RAVDESS tree: its twin has other labels' names for the same recordings.
    (tree,) = (folder / "results" / ".corpora").iterdir()
    data = ["--corpus=ravdess", f"--data={tree}", "--set=search.published_first=false"]
    raysearch("run", *SMALL, *data, "--trials=1", "--name=two", "--quiet", cwd=folder)
    for name in ("one", "two"):
        raysearch("evaluate", f"results/{name}", cwd=folder)
    shown = raysearch("cross-corpus", "results/one", "results/two", cwd=folder)
    assert "(own test)" in shown
    matrix = json.loads((folder / "results" / "cross_corpus.json").read_text())
    assert set(matrix) == {"demo", "ravdess"}
    own = json.loads((folder / "results" / "one" / "evaluation.json").read_text())
    assert matrix["demo"]["demo"]["ua"] == own["ua"]
    crossed = matrix["demo"]["ravdess"]
    assert "calm" not in crossed["labels"]
    assert len(crossed["labels"]) == 7
    assert crossed["num_speakers"] == 12
