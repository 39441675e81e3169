"""Folds whose final models have other numbers of trainings are scored together."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from raysearch.corpora.utterance import Utterance
from raysearch.evaluation.predict import pooled, prediction_table
from raysearch.evaluation.scores import score

LABELS = ("angry", "sad")


def utterances(speaker):
    return [
        Utterance(
            id=f"{speaker}-{n}",
            path=Path("x.wav"),
            corpus="c",
            speaker=speaker,
            emotion=label,
            content_hash=f"{speaker}{n}",
            sample_rate=16000,
            duration_s=1.0,
        )
        for n, label in enumerate((*LABELS, *LABELS))
    ]


def predictions(speaker, fold, seed, right):
    """The first ``right`` of four utterances are recognised."""
    test = utterances(speaker)
    hits = [(row.emotion == label) == (n < right) for n, row in enumerate(test) for label in LABELS]
    probs_NK = np.array(hits, dtype=float).reshape(len(test), len(LABELS))
    return prediction_table(test, probs_NK, LABELS, fold, seed)


def scored(tables):
    return score(pooled(tables), protocol="p", where={"nested": 2}, notes=[])


def test_a_model_that_is_scored_once_stands_for_each_seed_of_another_fold():
    retrained = [predictions("a", 0, seed, right) for seed, right in enumerate((4, 2, 0))]
    ensemble = predictions("b", 1, 0, 2)
    figures = scored([pa.concat_tables(retrained), ensemble])
    assert figures["ua"]["per_seed"] == pytest.approx([0.75, 0.5, 0.25])
    assert figures["per_fold_ua"] == pytest.approx({"0": 0.5, "1": 0.5})
    assert np.sum(figures["confusion"]) == 3 * 8, "each fold counts alike"


def test_folds_of_one_kind_stay_as_they_are():
    tables = [predictions("a", 0, 0, 4), predictions("b", 1, 0, 2)]
    assert pooled(tables).num_rows == 8
    assert scored(tables)["ua"]["per_seed"] == pytest.approx([0.75])
