"""Noise, ablations, sweeps and the leak study, each by its command, on one small search."""

import json
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
import soundfile
from small_command import SMALL

from raysearch.features.disturbance_table import KINDS, levels_of

pytestmark = pytest.mark.ray

# The draw of this seed learns something in two epochs.
SAMPLED = ["--set=search.published_first=false", "--set=search.defaults_first=false"]


def raysearch(*arguments, cwd):
    command = [sys.executable, "-m", "raysearch", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=400)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*arguments, code, cwd):
    command = [sys.executable, "-m", "raysearch", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=100)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def processes_with_worker(command, timeout_s=120):
    """The processes of Ray's that ``command`` has started, once a worker is among them."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = psutil.Process(command.pid).children(recursive=True)
        if any(one.name().startswith("ray::RayTrainWo") for one in found):
            return found
        time.sleep(0.5)
    raise TimeoutError("no worker came up")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extras")
    settings = [*SAMPLED, "--set=model.fuse_attention=se"]
    raysearch("run", *SMALL, *settings, "--trials=1", "--name=one", "--quiet", cwd=folder)
    return folder


@pytest.mark.slow
def test_noise_is_scored_with_the_same_weights(folder):
    shown = raysearch("evaluate", "results/one", "--noise=white", cwd=folder)
    assert "under noise" in shown
    run = folder / "results" / "one"
    levels = json.loads((run / "noise.json").read_text())["levels"]
    fold = json.loads((run / "evaluation.json").read_text())
    assert [level["kind"] for level in levels] == ["clean", *["white"] * 4]
    assert [level["level"] for level in levels] == ["", "20 dB", "10 dB", "5 dB", "0 dB"]
    assert levels[0]["ua"] == fold["ua"]
    assert levels[-1]["confusion"] != levels[0]["confusion"]
    assert levels[-1]["comparison"]["verdict"] == "cannot be tested"
    assert "noise on fold 0: 2 trainings, all of them there already" in shown
    shown = raysearch("evaluate", "results/one", "--noise", cwd=folder)
    assert "scored babble, 0 dB" in shown
    assert "scored white" not in shown
    found = json.loads((run / "noise.json").read_text())
    wanted = [(level.kind, level.shown) for level in levels_of(tuple(KINDS))]
    has = [(level["kind"], level["level"]) for level in found["levels"]]
    left_out = set(found.get("left_out", {}))
    assert has == [("clean", ""), *(w for w in wanted if ", ".join(w) not in left_out)]
    assert [level["ua"] for level in found["levels"][:5]] == [level["ua"] for level in levels]
    assert all(level["num_unusable"] == 0 for level in found["levels"])
    assert "| babble | 20 dB |" in (run / "noise.md").read_text()
    assert "stored figures" in raysearch("evaluate", "results/one", "--noise", cwd=folder)


@pytest.mark.slow
def test_ablations_are_retrained_beside_the_winner(folder):
    asked = "--only=attention,prosody,validation-balanced"
    shown = raysearch("ablate", "results/one", asked, cwd=folder)
    assert "skipped, the winner has no prosody" in shown
    assert "the winner and 2 changes of it on fold 0: 8 trainings" in shown
    assert "cannot be tested: 2 speaker(s) in 1 fold(s)" in shown
    assert "--nested searches in the others, too; --folds all trains" in " ".join(shown.split())
    run = folder / "results" / "one"
    found = json.loads((run / "ablations.json").read_text())
    assert found["ablations"]["attention"]["changes"] == {"0": {"model.fuse_attention": "none"}}
    assert found["ablations"]["attention"]["comparison"]["verdict"] == "cannot be tested"
    mix = found["ablations"]["validation-balanced"]
    assert mix["changes"] == {"0": {"training.validation_mix": "balanced"}}
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert found["winner"]["ua"] == evaluation["ua"]
    weights = sorted(run.glob("experiments/*/seed-*/weights/best.safetensors"))
    assert [path.parts[-3] for path in weights] == ["seed-1", "seed-2", "seed-3"] * 2
    assert "| attention | model.fuse_attention=none |" in (run / "ablations.md").read_text()
    assert "stored figures" in raysearch("ablate", "results/one", "--only=attention", cwd=folder)


def test_an_interrupted_training_ends_at_once(folder):
    """One of ten thousand epochs is under way; nobody waits for it, and no process is left."""
    command = [sys.executable, "-m", "raysearch", "sweep", "results/one", "training.epochs=10000"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        # Whoever runs the tests in the background may have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        ray_of_it = processes_with_worker(process)
        time.sleep(10)  # the worker joins its group, and trains
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert errors.strip().splitlines()[-1] == "raysearch: interrupted"
    assert "Traceback" not in errors
    _, left = psutil.wait_procs(ray_of_it, timeout=30)
    assert not left


@pytest.mark.slow
def test_interrupted_ablations_keep_what_was_retrained(folder):
    run = folder / "results" / "one"
    raysearch("ablate", "results/one", "--only=attention", cwd=folder)
    before = json.loads((run / "ablations.json").read_text())["ablations"]["attention"]
    kept, *_, lost = sorted(run.glob("experiments/*/seed-*"))
    written = (kept / "weights/best.safetensors").stat().st_mtime_ns
    (run / "ablations.json").unlink()
    shutil.rmtree(lost)
    shown = raysearch("ablate", "results/one", "--only=attention", cwd=folder)
    assert "4 of them there already" in shown
    assert shown.count("retrained") == 1
    assert (kept / "weights/best.safetensors").stat().st_mtime_ns == written
    again = json.loads((run / "ablations.json").read_text())["ablations"]["attention"]
    assert again["figures"]["ua"] == before["figures"]["ua"]


@pytest.mark.slow
def test_a_sweep_over_all_folds_takes_up_what_an_ablation_has_trained(folder):
    run = folder / "results" / "one"
    raysearch("ablate", "results/one", "--only=attention", cwd=folder)
    command = ["sweep", "results/one", "model.fuse_attention=none,se", "--folds=all"]
    shown = raysearch(*command, cwd=folder)
    assert "the winner and 2 changes of it on folds 0 to 5: 35 trainings, 5 of them there" in shown
    assert "settings saw these speakers" in shown
    found = json.loads((run / "sweeps" / "model.fuse_attention.json").read_text())
    none, own = found["points"]
    assert own["comparison"] is None
    assert own["figures"]["ua"] == found["winner"]["ua"]
    assert none["comparison"]["verdict"] != "cannot be tested"
    assert none["comparison"]["num_speakers"] == 12
    assert len(none["figures"]["ua"]["interval"]) == 2
    assert "<svg" in (run / "sweeps" / "model.fuse_attention.svg").read_text()
    assert "| none |" in (run / "sweeps" / "model.fuse_attention.md").read_text()
    assert "stored figures" in raysearch(*command, cwd=folder)
    whole = raysearch("ablate", "results/one", "--only=attention", "--folds=all", cwd=folder)
    assert "35 trainings, all of them there already" in whole
    ablated = json.loads((run / "ablations.json").read_text())
    assert ablated["ablations"]["attention"]["figures"]["ua"] == none["figures"]["ua"]
    noisy = raysearch("evaluate", "results/one", "--noise=white", "--folds=all", cwd=folder)
    assert "noise on folds 0 to 5: 17 trainings, all of them there already" in noisy
    levels = json.loads((run / "noise.json").read_text())["levels"]
    assert levels[0]["ua"] == found["winner"]["ua"]
    assert levels[-1]["comparison"]["num_speakers"] == 12
    said = refused("sweep", "results/one", "model.widht=8", code=2, cwd=folder)
    assert "did you mean 'model.width'" in said


@pytest.mark.slow
def test_the_leak_study_has_four_arms(folder):
    small = [option for option in SMALL if not option.startswith("--final")]
    shown = raysearch("leak-study", *small, "--name=leak", cwd=folder)
    assert "sharing speakers" in shown
    assert "every clean original tested once" in shown
    found = json.loads((folder / "results" / "leak" / "leak_study.json").read_text())
    assert set(found["arms"]) == {"A", "B", "C", "D"}
    ua = {name: figures["ua"]["mean"] for name, figures in found["arms"].items()}
    assert found["siblings"] == pytest.approx(ua["A"] - ua["B"])
    assert found["speakers"] == pytest.approx(ua["B"] - ua["C"])
    # Twelve speakers in six folds: every arm has been tested on all of them.
    assert {figures["num_speakers"] for figures in found["arms"].values()} == {12}
    assert found["compared"]["speakers"]["lack"] is None
    assert "6 folds of 12 speakers" in found["compared"]["speakers"]["method"]
    assert "augmented_test" in found["arms"]["A"]
    assert "| C | split by speaker" in (folder / "results/leak/leak_study.md").read_text()
    other = ["leak-study", *small, "--name=leak"]
    assert "stored figures" in raysearch(*other, cwd=folder)
    assert "cannot resume" in refused(*other, "--seed=5", code=2, cwd=folder)
    assert "not paper" in refused(*other, "--protocol=paper", code=2, cwd=folder)
    streamed = raysearch(
        "leak-study", *small, "--name=streamed", "--set=search.tier=stream", cwd=folder
    )
    assert "tier stream: asked for" in streamed
    again = json.loads((folder / "results" / "streamed" / "leak_study.json").read_text())
    assert again["arms"] == found["arms"]


@pytest.mark.slow
def test_speakers_own_recordings_are_marked_from_the_search_to_the_comparison(folder):
    speaker = "--set=training.normalise=speaker"
    mixed = ["--set=space.training.normalise={choice: [speaker, train_bin]}", "--name=mixed"]
    assert "are not ranked with others" in refused("run", *SMALL, *mixed, code=2, cwd=folder)
    shown = raysearch("run", *SMALL, *SAMPLED, speaker, "--trials=1", "--name=own", cwd=folder)
    assert "transductive: every test speaker's own recordings" in shown
    assert "validation UA (transductive)" in shown
    assert "the searched fold, transductive)" in raysearch("evaluate", "results/own", cwd=folder)
    run = folder / "results" / "own"
    for name in ("evaluation.json", "summary.json", "best/metrics.json"):
        assert json.loads((run / name).read_text())["transductive"] is True
    assert "transductive" in (run / "best" / "model_card.md").read_text()
    raysearch("evaluate", "results/one", cwd=folder)
    said = refused("compare", "results/one", "results/own", code=2, cwd=folder)
    assert "own (transductive)" in said


def quieter(tree, target):
    """The tree's recordings at half the level: other files, in the same layout."""
    shutil.copytree(tree, target)
    for path in target.rglob("*.wav"):
        samples_N, rate = soundfile.read(path, dtype="float32")
        soundfile.write(path, samples_N / 2, rate)
    return target


@pytest.mark.slow
def test_winners_are_scored_on_each_others_corpora(folder):
    # The demo is a RAVDESS tree: its twin has the same labels under another corpus' name.
    (tree,) = (folder / "results" / ".corpora").iterdir()
    twin = quieter(tree, folder / "twin")
    data = ["--corpus=ravdess", f"--data={twin}", *SAMPLED]
    raysearch("run", *SMALL, *data, "--trials=1", "--name=two", "--quiet", cwd=folder)
    known = f"--target=ravdess={tree}"
    raysearch("evaluate", "results/one", cwd=folder)
    assert "no matrix" in refused("cross-corpus", "results/two", code=2, cwd=folder)
    assert "learned from" in refused("cross-corpus", "results/one", known, code=3, cwd=folder)
    third = f"--target=ravdess={quieter(twin, folder / 'third')}"
    shown = raysearch("cross-corpus", "results/one", "results/two", third, cwd=folder)
    assert shown.count(", own)") == 2
    assert "demo: 2 trainings, all of them there already" in shown
    assert "ravdess twin: 2 trainings: about" in shown
    matrix = json.loads((folder / "results" / "cross_corpus.json").read_text())
    assert set(matrix) == {"demo", "ravdess twin"}
    assert set(matrix["demo"]) == {"demo", "ravdess twin", "ravdess third"}
    own = json.loads((folder / "results" / "one" / "evaluation.json").read_text())
    assert matrix["demo"]["demo"]["ua"] == own["ua"]
    crossed = matrix["demo"]["ravdess twin"]
    assert "calm" not in crossed["labels"]
    assert len(crossed["labels"]) == 7
    assert crossed["num_speakers"] == 12
    assert len(crossed["ua"]["interval"]) == 2
