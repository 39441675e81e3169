"""The command line on small searches: what it prints, writes and refuses."""

import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from small_command import SMALL

pytestmark = pytest.mark.ray


def raysearch(*arguments, cwd):
    command = [sys.executable, "-m", "raysearch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def searched(folder):
    return raysearch("run", *SMALL, "--trials=3", "--name", "one", cwd=folder)


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
    first, second, *_ = searched.stdout.splitlines()
    assert (first.split()[0], second.split()[0]) == ("run:", "page:")
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
    again = raysearch("evaluate", "results/one", "--by=sex", cwd=folder)
    assert "evaluated before" in again.stdout
    assert "female and male cannot be tested: 2 speaker(s) in 1 fold(s)" in again.stdout
    stored = json.loads((run / "evaluation.json").read_text())
    assert set(stored.pop("by")["sex"]["groups"]) == {"female", "male"}
    assert stored == figures
    assert "- UA by sex: female " in (run / "best" / "model_card.md").read_text()


@pytest.mark.parametrize(
    ("option", "code", "words"),
    [("--workers=999", 2, "can never fit"), ("--address=127.0.0.1:1", 4, "127.0.0.1:1")],
)
def test_what_the_cluster_cannot_do_is_one_line(option, code, words, folder):
    result = raysearch("run", "--space=emohrnet", option, cwd=folder)
    assert result.returncode == code, result.stderr
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr


def test_a_dry_run_says_what_it_would_take_and_takes_nothing(folder):
    result = raysearch("run", *SMALL, "--trials=3", "--name", "dry", "--dry-run", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "feature sets: 1" in result.stdout
    assert "trials: 3 of at most 2 epochs" in result.stdout
    assert " min, from" in result.stdout
    assert not (folder / "results" / "dry").exists()


def test_a_taken_name_is_refused(searched, folder):
    assert searched.returncode == 0
    result = raysearch("run", *SMALL, "--trials=3", "--name", "one", cwd=folder)
    assert result.returncode == 2
    assert "--resume" in result.stderr
