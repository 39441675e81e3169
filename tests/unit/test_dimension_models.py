"""A search that predicts dimensions, once it is over: its model in use, its figures, its words."""

# Axis letters name tensor shapes.

import csv
import io
import json
import re
import shutil

import numpy as np
import pyarrow as pa
import pytest
from finished_run import finished_run
from test_dimensions import ON, lin
from test_leaderboard import board, table, trial

import raysearch
from raysearch.__main__ import main
from raysearch.corpora.utterance import DIMENSIONS, Utterance
from raysearch.errors import UserError
from raysearch.evaluation.cross_corpus import plan_matrix
from raysearch.evaluation.dimension_scores import mean_ccc, score_dimensions
from raysearch.evaluation.experiment import plan_experiment
from raysearch.evaluation.leak_study import check_spec as check_leak_study
from raysearch.evaluation.predict import rating_table
from raysearch.evaluation.reproduce import check_spec as check_reproduce
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.stored_dimensions import dimensions_file, stored_dimensions
from raysearch.evaluation.stored_evaluations import load_systems
from raysearch.partner import partner_config
from raysearch.race.entrants import entrants
from raysearch.spec import SearchSpec

SPEC = SearchSpec.load("cnn", ON)
NETWORK = ("cnn", {"training.clip_s": 0.5, **dict(ON)})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("finished"), models=(NETWORK,))


def test_a_model_says_how_recordings_would_be_rated(finished, capsys):
    run, test, expected_ND = finished
    assert main(["predict", str(run.root), str(test[0].parent)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["file", *DIMENSIONS]
    found_ND = np.array([[float(row[name]) for name in DIMENSIONS] for row in rows])
    assert np.array_equal(found_ND, expected_ND)
    assert main(["predict", str(run.best), str(test[0]), "--format", "table"]) == 0
    head, row = capsys.readouterr().out.splitlines()[:2]
    assert head.split() == ["file", *DIMENSIONS]
    assert row.split()[1:] == [f"{value:.2f}" for value in expected_ND[0]]
    samples, rate = np.sin(np.arange(16_000) / 9), 16_000
    one = raysearch.load(run.root).predict(samples, rate)
    assert (one.label, list(one.ratings)) == ("", list(DIMENSIONS))


def test_what_answers_with_emotions_refuses_it_in_a_line(finished, tmp_path, capsys):
    run, test, _ = finished
    sizes = ["--timeline", "--plot", str(tmp_path / "x.png")]
    commands = {
        "a graph's output is emotions": ["export", str(run.root), "--output", str(tmp_path / "m")],
        "an answer is an emotion": ["serve", str(run.root)],
        "--plot draws emotions": ["predict", str(run.root), str(test[0]), *sizes],
        "--by is of emotions": ["evaluate", str(run.root), "--by", "sex"],
        "--protocol paper is of": ["evaluate", str(run.root), "--protocol", "paper"],
        "compare of .* is of emotions": ["compare", str(run.root), str(_copy(run, tmp_path))],
    }
    for message, arguments in commands.items():
        assert main(arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert re.search(message, line), line
        assert "predicts dimensions" in line


def _copy(run, folder):
    return shutil.copytree(run.root, folder / "other")


def test_experiments_on_emotions_refuse_it(finished, tmp_path):
    run, _, _ = finished
    splits = RunSplits(run, tmp_path)
    calls = [
        lambda: plan_experiment(run, {}, folds=None, splits=splits),
        lambda: plan_matrix([run, run], [], tmp_path),
        lambda: check_leak_study(SPEC),
        lambda: check_reproduce(SPEC),
        lambda: load_systems([run.root, run.root.parent]),
    ]
    for call in calls:
        with pytest.raises(UserError, match="predicts dimensions"):
            call()
    with pytest.raises(UserError, match="a race is judged by emotions"):
        entrants(["cnn"], ON)
    assert partner_config(SPEC) is None
    assert partner_config(SearchSpec.load("cnn")) is not None


def rated(number, arousal, valence):
    audio = {"sample_rate": 16_000, "duration_s": 1.0}
    fields = {"speaker": f"s{number // 4}", "emotion": "a", "content_hash": f"h{number}"}
    ratings = (("arousal", arousal), ("valence", valence))
    return Utterance(id=f"u{number}", path="/x", corpus="m", **fields, **audio, ratings=ratings)


def predictions(noise, num=48, folds=4, seeds=2):
    rng = np.random.default_rng(3)
    y_ND = rng.uniform(1, 5, (num, 2))
    rows = [rated(n, *y_ND[n].tolist()) for n in range(num)]
    tables = []
    for seed in range(seeds):
        x_ND = y_ND + noise * rng.normal(size=y_ND.shape)
        for fold in range(folds):
            own = slice(fold * num // folds, (fold + 1) * num // folds)
            tables.append(rating_table(rows[own], x_ND[own], ("arousal", "valence"), fold, seed))
    return pa.concat_tables(tables)


WHERE = {"protocol": "p", "where": {"nested": 4}, "notes": ["one"]}


def test_figures_are_of_all_rows_together_with_intervals_over_folds():
    found = score_dimensions(made := predictions(1.0), **WHERE)
    assert list(found["dimensions"]) == ["mean", "arousal", "valence"]
    first = made.filter(pa.compute.equal(made["seed"], 0))
    x_N, y_N = (first[f"{kind}_valence"].to_numpy() for kind in ("predicted", "rated"))
    valence = found["dimensions"]["valence"]
    assert valence["per_seed"][0] == pytest.approx(lin(x_N, y_N))
    assert valence["ccc"] == pytest.approx(np.mean(valence["per_seed"]))
    assert valence["rmse"] == pytest.approx(1.0, abs=0.25)
    low, high = valence["interval"]
    assert 0 < low < valence["ccc"] < high < 1
    assert found["notes"][-1] == "intervals: 95%, t over 4 folds of 12 speakers, of Fisher's z"
    assert mean_ccc(made) == found["dimensions"]["mean"]["ccc"]
    of_one = made.filter(pa.compute.equal(made["speaker"], "s5"))
    assert len(found["per_speaker_ccc"]) == 12
    assert found["per_speaker_ccc"]["m/s5"] == pytest.approx(mean_ccc(of_one))
    far = score_dimensions(predictions(3.0), **WHERE)
    assert far["dimensions"]["mean"]["ccc"] < found["dimensions"]["mean"]["ccc"] - 0.2
    exact = score_dimensions(predictions(0.0), **WHERE)["dimensions"]["arousal"]
    assert (exact["ccc"], exact["rmse"]) == (pytest.approx(1), 0)


def test_few_speakers_have_no_interval():
    found = score_dimensions(predictions(1.0, num=8, folds=1), **WHERE)
    assert found["interval_method"] is None
    assert found["dimensions"]["mean"]["interval"] is None
    assert found["notes"][-1].startswith("no interval: 2 speaker(s) in 1 fold(s)")


def test_one_dimension_is_its_own_mean():
    table = predictions(1.0).drop_columns(["rated_valence", "predicted_valence"])
    assert list(score_dimensions(table, **WHERE)["dimensions"]) == ["arousal"]
    assert 0 < mean_ccc(table) < 1


def test_a_damaged_file_of_figures_is_told(finished):
    run, _, _ = finished
    assert stored_dimensions(run) == {}
    dimensions_file(run).write_text(json.dumps({"fold": {}}))
    with pytest.raises(UserError, match="not an evaluation"):
        stored_dimensions(run)
    dimensions_file(run).unlink()


def test_the_board_and_the_card_tell_of_agreement(finished, tmp_path):
    metrics = {"val_ccc": 0.5, "val_ccc_arousal": 0.7, "val_ccc_valence": 0.3, "val_loss": 0.5}
    (row,), text = board(tmp_path, trial(0, metrics=metrics), objective="val_ccc", spec=SPEC)
    assert (row["val_ccc"], row["val_ccc_dominance"]) == ("0.5", "")
    assert "val_uar" not in row
    assert "val CCC | val CCC arousal | val CCC valence | epochs" in text
    assert [cell.strip() for cell in table(text)[0][3:6]] == ["0.500", "0.700", "0.300"]
    run, _, _ = finished
    card = (run.best / "model_card.md").read_text()
    assert "Predicts arousal, valence, dominance of an utterance, on the scale of the" in card
    assert "UA" not in card.partition("## Test figures")[0]
