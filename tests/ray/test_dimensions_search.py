"""A search that predicts arousal and valence, by its commands, to figures of test speakers."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from small_command import SMALL

from raysearch.corpora.demo import synthesise

pytestmark = pytest.mark.ray

RATED = {"05": (4.5, 1.5), "03": (4.0, 4.0), "04": (1.5, 2.0)}
TASK = (
    *("--set=training.task=dimensions", "--set=training.heads=several"),
    *("--set=training.label_smoothing=0", "--set=training.class_weight=none"),
)


def raysearch(*arguments: str, cwd: Path) -> str:
    command = [sys.executable, "-m", "raysearch", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=400)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_search_by_agreement_ends_in_figures_of_each_dimension(tmp_path, storage):
    rows = ["path,speaker,arousal,valence"]
    for path in sorted(synthesise(storage).glob("Actor_*/*.wav")):
        emotion, actor = path.stem.split("-")[2], path.parent.name
        if emotion in (*RATED, "01") and path.stem[15:17] == "01":
            ratings = ",".join(map(str, RATED.get(emotion, ("", ""))))
            rows.append(f"{path},{actor},{ratings}")
    (tmp_path / "m.csv").write_text("\n".join(rows) + "\n")
    corpus = ("--corpus=manifest", "--data=m.csv", "--set=corpus.rated=true")
    small = [one for one in SMALL if not one.startswith("--corpus")]
    told = raysearch("run", *small, *TASK, *corpus, "--trials=1", "--name=one", cwd=tmp_path)
    assert "24 recording(s) without ratings of arousal, valence left out" in told
    assert "validation CCC" in told
    shown = raysearch("evaluate", "results/one", cwd=tmp_path)
    assert all(word in shown for word in ("valence", "RMSE", "each seed", "CCC by speaker:"))
    run = tmp_path / "results" / "one"
    figures = json.loads((run / "dimensions.json").read_text())["fold"]
    assert list(figures["dimensions"]) == ["mean", "arousal", "valence"]
    table = pq.read_table(run / "predictions-fold.parquet")
    assert len(table) == figures["num_utterances"] * len(set(table["seed"].to_pylist()))
    assert set(table["rated_arousal"].to_pylist()) == {4.5, 4.0, 1.5}
    assert (run / "best" / "labels.json").read_text().split() == [
        "[", '"arousal",', '"valence"', "]",
    ]  # fmt: skip
