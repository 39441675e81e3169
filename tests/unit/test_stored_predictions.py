"""What an arm said of its test rows is taken up again, as long as it is the same arm."""

from dataclasses import replace

import pytest
from searched_run import predictions, searched_run, train

from raysearch.evaluation import stored_predictions
from raysearch.evaluation.run_splits import RunSplits
from raysearch.evaluation.stored_predictions import has_predictions, predicted
from raysearch.evaluation.winner_folds import winner_arms
from raysearch.features.disturbance_table import Level

WHITE = Level("white", "10")


@pytest.fixture
def arm(tmp_path):
    run = searched_run(tmp_path, num_folds=3)
    return winner_arms(run, [0], RunSplits(run, tmp_path))[0]


@pytest.fixture
def said(monkeypatch, arm):
    """Each time that rows are scored, which takes features and trained nets."""
    found = []

    def scoring(arm, storage, level, on_progress):
        found.append(level)
        return predictions(arm, 0.7), {"row": "silent"} if level else {}

    monkeypatch.setattr(stored_predictions, "predict_disturbed", scoring)
    return found


def test_rows_are_scored_once(arm, said, tmp_path):
    assert not has_predictions(arm)
    first = predicted(arm, tmp_path)
    again = predicted(arm, tmp_path)
    assert said == [None]
    assert again == first
    assert again[0].schema == first[0].schema
    noisy = predicted(arm, tmp_path, level=WHITE)
    assert predicted(arm, tmp_path, level=WHITE) == noisy
    assert noisy[1] == {"row": "silent"}
    assert said == [None, WHITE]


def test_a_later_epoch_of_the_same_trial_is_scored_anew(arm, said, tmp_path):
    predicted(arm, tmp_path)
    (net,) = arm.searched
    later = net.folder.with_name("epoch-0003-attempt-1")
    train(later)
    gone_on = replace(arm, searched=(replace(net, folder=later),))
    assert not has_predictions(gone_on)
    predicted(gone_on, tmp_path)
    assert said == [None, None]
    assert not has_predictions(arm)


def test_other_test_rows_are_scored_anew(arm, said, tmp_path):
    predicted(arm, tmp_path)
    split = arm.audited.split
    fewer = replace(arm, audited=replace(arm.audited, split=replace(split, test=split.test[1:])))
    assert not has_predictions(fewer)
    first = split.test[0]
    for changed in (replace(first, votes=(("joy", 2.0),)), replace(first, sex="female")):
        other = replace(split, test=(changed, *split.test[1:]))
        assert not has_predictions(replace(arm, audited=replace(arm.audited, split=other)))
    assert has_predictions(arm)


def test_a_damaged_file_is_scored_anew(arm, said, tmp_path):
    predicted(arm, tmp_path)
    (file,) = (arm.folder / arm.identity).glob("*.parquet")
    file.write_bytes(b"PAR1")
    assert not has_predictions(arm)
    predicted(arm, tmp_path)
    assert has_predictions(arm)
