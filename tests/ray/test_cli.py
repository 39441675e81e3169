"""The command line on small searches: what it prints, writes and refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.ray

SMALL = [
    "--space=emohrnet",
    "--trials=3",
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
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def searched(folder):
    return raysearch("run", *SMALL, "--name", "one", cwd=folder)


def test_a_search_leaves_everything_it_promises(searched, folder):
    assert searched.returncode == 0, searched.stderr
    assert searched.stderr == ""
    run = folder / "results" / "one"
    for name in [
        "spec.yaml",
        "run.json",
        "summary.json",
        "trials.jsonl",
        "leaderboard.csv",
        "leaderboard.md",
        "splits.csv",
        "study.journal",
        "best/weights.safetensors",
        "best/config.json",
        "best/labels.json",
        "best/features.json",
        "best/metrics.json",
        "best/model_card.md",
        "tensorboard",
        "logs",
    ]:
        assert (run / name).exists(), name
    summary = json.loads((run / "summary.json").read_text())
    assert summary["num_trials"] == 3
    assert 0 < summary["startup_s"] < summary["wall_s"]
    header = (run / "leaderboard.csv").read_text().splitlines()[0].split(",")
    assert header[:10] == (
        [
            "number",
            "trial",
            "status",
            "best_epoch",
            "val_uar",
            "val_wa",
            "val_macro_f1",
            "epochs",
            "train_s",
            "params",
        ]
    )
    assert "validation UA" in searched.stdout
    assert "Traceback" not in searched.stdout


def test_evaluation_scores_the_test_fold_once(searched, folder):
    assert searched.returncode == 0
    first = raysearch("evaluate", "results/one", "--protocol", "paper", cwd=folder)
    assert first.returncode == 0, first.stderr
    run = folder / "results" / "one"
    figures = json.loads((run / "evaluation.json").read_text())
    assert figures["protocol"] == "speaker_independent"
    assert figures["fold"] == 0
    assert figures["num_speakers"] == 2
    assert len(figures["ua"]["per_seed"]) == 3
    assert figures["ua"]["interval"] is None
    assert sum(map(sum, figures["confusion"])) == 3 * 64
    assert figures["beside"]["paper"]["protocol"] == "paper"
    assert any("optimistic" in note for note in figures["beside"]["paper"]["notes"])
    rows = pq.read_table(run / "predictions.parquet")
    assert rows.num_rows == 3 * 64
    sums = sum(rows[name].to_numpy() for name in rows.column_names if name.startswith("p_"))
    assert abs(sums - 1).max() < 1e-6
    again = raysearch("evaluate", "results/one", cwd=folder)
    assert "evaluated before" in again.stdout
    assert json.loads((run / "evaluation.json").read_text()) == figures


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "--space=emohrnt"], 2, "did you mean 'emohrnet'"),
        (["run", "--space=emohrnet", "--set", "model.widht=8"], 2, "model.widht"),
        (["run", "--space=emohrnet", "--set", "model.width=-8"], 2, "model.width"),
        (["run", "--space=emohrnet", "--corpus=ravdes"], 2, "did you mean 'ravdess'"),
        (["run", "--space=emohrnet", "--corpus=emodb"], 2, "--data"),
        (["run", "--space=emohrnet", "--corpus=emodb", "--data=nowhere"], 2, "nowhere"),
        (["run", "--space=emohrnet", "--corpus=emodb", "--data=empty"], 3, "empty"),
        (["run", "--space=emohrnet", "--workers=999"], 2, "can never fit"),
        (["run", "--space=emohrnet", "--fold=77"], 2, "fold"),
        (["run", "--space=emohrnet", "--corpus=manifest", "--data=leak.csv"], 3, "speaker"),
        (["run", "--space=emohrnet", "--resume", "--name=never"], 2, "nothing to resume"),
        (["run", "--space=emohrnet", "--time-budget=soon"], 2, "30m"),
        (["run", "--space=emohrnet", "--address=127.0.0.1:1"], 4, "127.0.0.1:1"),
        (["evaluate", "results/never"], 2, "not a run"),
        (["corpus", "--corpus=nope"], 2, "nope"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(arguments, code, words, folder):
    (folder / "empty").mkdir(exist_ok=True)
    write_leaking_manifest(folder)
    result = raysearch(*arguments, cwd=folder)
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr


def test_a_dry_run_says_what_it_would_take_and_takes_nothing(folder):
    result = raysearch("run", *SMALL, "--name", "dry", "--dry-run", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "feature sets: 1" in result.stdout
    assert "trials: 3 of at most 2 epochs" in result.stdout
    assert "minutes" in result.stdout
    assert not (folder / "results" / "dry").exists()


def test_a_taken_name_is_refused(searched, folder):
    assert searched.returncode == 0
    result = raysearch("run", *SMALL, "--name", "one", cwd=folder)
    assert result.returncode == 2
    assert "--resume" in result.stderr


def write_leaking_manifest(folder: Path) -> None:
    """A manifest of the user's own whose split column shares a speaker."""
    import numpy as np
    import soundfile

    rng = np.random.default_rng(0)
    lines = ["path,emotion,speaker,split"]
    for i in range(24):
        soundfile.write(folder / f"{i}.wav", rng.uniform(-0.1, 0.1, 4000), 16_000)
        emotion = ("happy", "sad")[i % 2]
        split = ("train", "validation", "test")[i % 3]
        lines.append(f"{i}.wav,{emotion},speaker{i % 4},{split}")
    (folder / "leak.csv").write_text("\n".join(lines) + "\n")
