"""How alike the data of two runs are."""

import math
from dataclasses import replace

import pytest
from protocol_corpora import row

from raysearch.protocols.splits import Split
from raysearch.tuning.likeness import DataFacts, facts_of_split, likeness

HERE = DataFacts(
    labels=("anger", "joy", "sad"),
    languages=("german",),
    num_rows=400,
    num_speakers=8,
    mean_s=2.5,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1.0),
        ({"labels": ("anger", "calm", "sad")}, (0.5 + 4) / 5),
        ({"languages": ("polish",)}, 4 / 5),
        ({"num_rows": 800}, (1 / (1 + math.log(2)) + 4) / 5),
        ({"num_rows": 200}, (1 / (1 + math.log(2)) + 4) / 5),
        ({"num_speakers": None, "mean_s": None, "languages": None}, 1.0),
        ({"labels": ("other",), "languages": None, "num_rows": 4000, "num_speakers": 80}, 0.4013),
        (dict.fromkeys(HERE.model_dump()), 0.0),
    ],
)
def test_likeness_is_the_mean_of_what_is_known_of_both(changes, expected):
    other = HERE.model_copy(update=changes)
    assert likeness(HERE, other) == pytest.approx(expected, abs=1e-3)
    assert likeness(other, HERE) == likeness(HERE, other)


def test_what_is_told_of_a_split_is_not_of_its_test_rows():
    rows = [
        replace(row(f"u{i}", f"s{i // 2}", label), duration_s=1.0 + i, language="german")
        for i, label in enumerate(("sad", "anger", "sad", "joy"))
    ]
    tested = replace(row("t", "other", "fear"), duration_s=90.0, language="polish")
    facts = facts_of_split(Split("speaker_independent", 0, 6, (*rows[:3],), (rows[3],), (tested,)))
    assert facts == DataFacts(
        labels=("anger", "sad"), languages=("german",), num_rows=4, num_speakers=2, mean_s=2.5
    )
