"""A paper's figure made again: the rows of each arm, equal epochs, and steps that add up."""

import json
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from protocol_corpora import regular
from rich.console import Console

from raysearch.__main__ import main
from raysearch.cli.reproduce import _show
from raysearch.config.published import is_same_corpus
from raysearch.evaluation.predict import prediction_table
from raysearch.evaluation.reproduce import reproduction_of
from raysearch.evaluation.reproduction_plan import ARMS, Epochs, Winner, planned
from raysearch.evaluation.reproduction_text import arm_rows, reproduction_markdown, summary
from raysearch.evaluation.row_folds import (
    Copies,
    followed,
    paper_folds,
    paper_splits,
    splits_of,
)
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from question_answers import found_by

CORPUS = regular(10, per_class=5)
EMOTIONS = sorted({row.emotion for row in CORPUS.utterances})
TWO = Copies(("noise:paper",), 2, before_split=True)


@cache
def plan_of(space, *, cap=None, found=30, settings=(), nested=False):
    spec = SearchSpec.load(space, [f"training.epochs={found}", *settings])
    of_fold = dict.fromkeys(range(5), spec.base) if nested else {}
    return planned(spec, CORPUS, Winner(spec.base, "t", "r", of_fold), cap=cap, num_seeds=1)


def predictions(plan, accuracy, seed=0):
    """Each arm's predictions, right with the probability that is given for it."""
    draws, tables = np.random.default_rng(seed), {}
    for name, arm in plan.arms.items():
        parts = []
        for fold in arm.folds:
            right_N = draws.random(len(fold.test)) < accuracy[name]
            true_N = [EMOTIONS.index(row.emotion) for row in fold.test]
            shift_N = np.where(right_N, 0, draws.integers(1, len(EMOTIONS), len(true_N)))
            probs_NK = np.eye(len(EMOTIONS))[(true_N + shift_N) % len(EMOTIONS)]
            named = [
                row.utterance if row.is_original else replace(row.utterance, id=row.name)
                for row in fold.test
            ]
            parts.append(prediction_table(named, probs_NK, EMOTIONS, fold.number, 0))
        tables[name] = pa.concat_tables(parts)
    return tables


ACCURACY = dict(zip(ARMS, (0.9, 0.5, 0.45, 0.7, 0.95), strict=True))


def found_of(plan, seed=0):
    return reproduction_of(plan, predictions(plan, ACCURACY, seed))


def num_tested(folds):
    return Counter(row.name for fold in folds for row in fold.test)


def test_the_paper_s_copies_stand_on_both_sides_and_every_row_is_tested_once():
    spec = SearchSpec.load("cnn1d_attention")
    folds = paper_folds(paper_splits(spec, CORPUS), CORPUS, TWO, spec.published)
    assert set(num_tested(folds).values()) == {1}
    assert len(num_tested(folds)) == 2 * len(CORPUS.utterances)
    for fold in folds:
        assert fold.validation == fold.test, "the paper's test rows choose its epoch"
        names = {row.name for row in (*fold.train, *fold.test)}
        assert len(names) == len(fold.train) + len(fold.test) == 2 * len(CORPUS.utterances)
        learned = {row.utterance.id for row in fold.train}
        assert sum(row.utterance.id in learned for row in fold.test) > len(fold.test) / 2


@pytest.mark.parametrize("space", ["cnn1d_attention", "emohrnet", "mfhca"])
def test_honestly_a_recording_s_rows_are_on_one_side(space):
    folds = [followed(split, TWO) for split in splits_of(SearchSpec.load(space), CORPUS)]
    assert num_tested(folds) == {f"{row.id}+": 1 for row in CORPUS.utterances}
    for fold in folds:
        sides = [fold.train, fold.validation, fold.test]
        speakers = [{row.utterance.speaker for row in side} for side in sides]
        assert not speakers[0] & speakers[1] | speakers[0] & speakers[2] | speakers[1] & speakers[2]
        assert Counter(Counter(row.utterance.id for row in fold.train).values()).keys() == {2}


def test_rows_beyond_the_cells_begin_again():
    (split, *_) = splits_of(SearchSpec.load("cnn1d_attention"), CORPUS)
    fold = followed(split, Copies(("pitch:1",), 5))
    one = [row for row in fold.train if row.utterance.id == fold.train[0].utterance.id]
    assert [(row.cell, row.copy) for row in one] == [
        ("", 0),
        ("pitch:1", 0),
        ("", 1),
        ("pitch:1", 1),
        ("", 2),
    ]
    assert len({row.name for row in one}) == 5


@pytest.mark.parametrize(
    ("printed", "found", "cap", "published", "shared", "words"),
    [
        (100, 30, None, 100, 30, "100"),
        (100, 30, 50, 50, 30, "50 of 100"),
        (100, 30, 5, 5, 5, "5 of 100"),
        (20, 30, None, 20, 20, "20"),
        (20, 30, 60, 20, 20, "20"),
        (None, 30, None, 25, 25, "25"),
    ],
)
def test_settings_are_compared_at_equal_epochs(printed, found, cap, published, shared, words):
    epochs = Epochs.of(printed, 25, found, cap)
    assert (epochs.published, epochs.shared, epochs.in_words) == (published, shared, words)


def test_what_is_trained_is_what_was_published():
    plan = plan_of("cnn1d_attention", cap=None)
    full, short = (plan.arms[f"published-{name}"].config for name in ("honest", "short"))
    assert (full.training.epochs, short.training.epochs) == (100, 30)
    assert full.training.learning_rate == 1e-5
    assert full.waveform_augment.cells == "none", "rows are added, so none is replaced"
    assert plan.copies.number == 4
    rows = len(plan.arms["published-honest"].folds[0].train)
    assert rows == 4 * len(plan.arms["winner-honest"].folds[0].train)
    assert plan.arms["winner-honest"].config == plan.spec.base


def test_a_cheaper_rerun_is_not_what_was_published():
    spec = SearchSpec.load("mfhca")
    rerun, published = spec.published.values(), spec.published.as_published()
    assert (rerun["features.mel.n_mels"], published["features.mel.n_mels"]) == (64, 128)
    assert (rerun["features.ssl.mode"], published["features.ssl.mode"]) == ("frozen", "tuned")


def test_without_published_settings_the_space_s_own_stand_in():
    plan = plan_of("cnn", found=12)
    assert plan.arms["published-paper"].config == plan.spec.base
    assert any("no settings are published" in note for note in found_of(plan)["notes"])


@pytest.mark.parametrize(("cap", "nested"), [(None, True), (50, False), (5, False)])
def test_the_steps_add_up(cap, nested):
    found = found_of(plan_of("cnn1d_attention", cap=cap, nested=nested))
    steps = found["steps"]
    for before, after in pairwise(steps):
        assert before["after"] == pytest.approx(after["before"])
    whole = steps[-1]["after"] - steps[0]["before"]
    assert sum(step["difference"] for step in steps) == pytest.approx(whole)
    names = [step["name"].partition(":")[0] for step in steps]
    assert names == ["copies in the test", "protocol", "budget", "settings"]
    assert steps[-1]["after"] == pytest.approx(found["arms"]["winner-honest"]["ua"]["mean"])
    flattered = any("settings saw these speakers" in note for note in found["notes"])
    assert flattered == (not nested)


def test_the_page_of_questions_tells_the_steps(tmp_path):
    found = found_of(plan_of("cnn1d_attention"))
    (tmp_path / "reproduction.json").write_text(json.dumps(found))
    words = ["reproduce", "cnn1d_attention", "--name", tmp_path.name, "--storage"]
    answer = found_by([*words, str(tmp_path.parent)], "")
    assert [row.name for row in answer.rows[1:]] == [step["name"] for step in found["steps"]]
    assert answer.rows[0].name == "published, the paper's split, UA"
    assert answer.rows[-1].value == found["steps"][-1]["after"]
    assert answer.table == reproduction_markdown(found)


def test_what_is_large_is_found_over_folds_and_small_is_not():
    steps = {step["name"]: step for step in found_of(plan_of("cnn1d_attention"))["steps"]}
    protocol = steps["protocol: new speakers"]
    assert (protocol["verdict"], protocol["p_holm"] < 0.01) == ("worse", True)
    assert protocol["interval"]["low"] < protocol["difference"] < protocol["interval"]["high"]
    assert "5 folds of 10 speakers" in protocol["why"]
    assert steps["budget: fewer epochs"]["verdict"] == "not distinguished"
    assert steps["copies in the test"]["verdict"] == "cannot be tested"


def test_of_too_few_epochs_every_statement_says_so():
    found = found_of(plan_of("cnn1d_attention", cap=5))
    assert "published-short" not in found["arms"]
    assert found["arms"]["published-honest"]["epochs"] == "5 of 100"
    assert found["arms"]["winner-honest"]["epochs"] == "5"
    budget = next(step for step in found["steps"] if step["name"].startswith("budget"))
    assert (budget["verdict"], budget["difference"]) == ("cannot be tested", 0.0)
    assert "5 of 100" in budget["why"]
    assert any("ran 5 of 100 epochs" in note for note in found["notes"])
    assert any("5 of its 30 epochs" in note for note in found["notes"])


def named(plan, name):
    """The plan, for a corpus of another name."""
    spec = plan.spec
    corpus = spec.corpus.model_copy(update={"name": name})
    return replace(plan, spec=replace(spec, corpus=corpus))


@pytest.mark.parametrize(
    ("cap", "classes", "why"),
    [(None, 4, ""), (50, 4, "50 of 100 epochs ran"), (None, 7, "printed of 7 emotions")],
)
def test_print_is_held_against_what_matches_it_alone(cap, classes, why):
    plan = named(plan_of("cnn1d_attention", cap=cap), "emodb")
    published = plan.spec.published
    results = tuple(one.model_copy(update={"num_classes": classes}) for one in published.results)
    published = published.model_copy(update={"results": results})
    plan = replace(plan, spec=replace(plan.spec, published=published))
    found = found_of(plan)
    assert found["metric"] == "wa"
    assert found["printed"][0]["value"] == pytest.approx(0.9953)
    begins = found["steps"][0]["name"]
    assert (begins == "not reproduced here") == (not why)
    assert any(why in note for note in found["notes"])
    assert found["steps"][0]["before"] == pytest.approx(0.9953) or why


@pytest.mark.parametrize("width", [80, 160])
def test_the_tables_fit_the_terminal(width):
    found = found_of(named(plan_of("cnn1d_attention", cap=50), "emodb"))
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as shown:
        _show(console, found)
    lines = shown.get().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in shown.get()
    for row in arm_rows(found):
        assert any(row[3] in line and row[4] in line for line in lines)
    assert summary(found).split()[1] in shown.get()
    assert "| printed |" in reproduction_markdown(found)


@pytest.mark.parametrize(
    ("printed", "name", "same"),
    [
        ("EMO-DB", "emodb", True),
        ("CREMA-D", "crema_d", True),
        ("RAVDESS+SAVEE", "savee,ravdess", True),
        ("RAVDESS+SAVEE", "ravdess", False),
        ("TESS", "emovo", False),
    ],
)
def test_corpora_are_known_by_their_printed_names(printed, name, same):
    assert is_same_corpus(printed, name) == same


def test_a_run_of_another_system_or_without_a_winner_is_refused(tmp_path, capsys):
    run = RunFolder(tmp_path / "r")
    run.open(SearchSpec.load("cnn"), resume=False)
    storage = ["--storage", str(tmp_path), "--run", str(run.root)]
    for system, told in (("emohrnet", "a search of cnn, not of emohrnet"), ("cnn", "no trial")):
        assert main(["reproduce", system, *storage]) == 2
        assert told in capsys.readouterr().err
    assert main(["reproduce", "cnn", *storage, "--trials", "3"]) == 2
    assert "--trials: of a search" in capsys.readouterr().err


def test_a_name_that_is_taken_by_other_settings_is_refused(tmp_path, capsys):
    RunFolder(tmp_path / "mine").open(SearchSpec.load("cnn"), resume=False)
    command = ["reproduce", "emohrnet", "--storage", str(tmp_path), "--name", "mine", "--dry-run"]
    assert main(command) == 2
    assert "mine: cannot resume with other settings: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--epochs", "0"], "--epochs 0: one or more"),
        (["--seeds", "0"], "--seeds 0: one or more"),
        (["--protocol", "paper"], "give an honest one"),
        (["--set", "corpus.shuffle_labels=true"], "shuffled labels"),
        (["--set", "training.normalise=speaker"], "speaker"),
        (["--set", "training.targets=distribution"], "no training.targets by votes"),
        (["--set", "search.objective=val_js"], "no search.objective by votes"),
        (["--run", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(arguments, told, tmp_path, capsys):
    storage = ["--storage", str(tmp_path)]
    assert main(["reproduce", "emohrnet", *storage, *arguments]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert told in line
