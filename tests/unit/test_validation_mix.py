"""Validation rows in another mix of emotions: how many are left, which, and in what order."""

from collections import Counter
from dataclasses import replace

import pytest

from raysearch.errors import ConfigError
from raysearch.spec import SearchSpec
from raysearch.streaming.split_rows import RowTable, SplitRows
from raysearch.streaming.validation_mix import with_validation_mix

LABELS = ("anger", "joy", "neutral", "sadness")


def table(counts, **columns):
    labels = tuple(label for label, number in enumerate(counts) for _ in range(number))
    names = tuple(f"row{i:03}" for i in range(len(labels)))
    return RowTable(names, tuple(f"hash of {name}" for name in names), labels, **columns)


def rows(counts):
    return SplitRows(table((5, 5, 5, 5)), table(counts), LABELS)


@pytest.mark.parametrize(
    ("mix", "counts", "left"),
    [
        ("corpus", (12, 30, 3, 6), (12, 30, 3, 6)),
        ("balanced", (12, 30, 3, 6), (3, 3, 3, 3)),
        # A tenth of 3, 12, 6, 30 mirrored: the rarest emotion takes the commonest one's share.
        ("reversed", (12, 30, 3, 6), (1, 1, 3, 1)),
        ("reversed", (10, 20, 20, 10), (10, 5, 5, 10)),
        ("balanced", (4, 0, 9, 4), (4, 0, 4, 4)),
        ("reversed", (0, 0, 9, 0), (0, 0, 9, 0)),
        ("balanced", (0, 0, 0, 0), (0, 0, 0, 0)),
    ],
)
def test_the_mix_decides_how_many_of_each_emotion_are_left(mix, counts, left):
    found = with_validation_mix(rows(counts), mix)
    number = Counter(found.validation.labels)
    assert tuple(number[label] for label in range(len(LABELS))) == left
    assert found.train == rows(counts).train


def test_what_is_left_are_rows_that_were_there_in_their_order():
    whole = rows((12, 30, 3, 6)).validation
    left = with_validation_mix(rows((12, 30, 3, 6)), "balanced").validation
    places = [whole.ids.index(name) for name in left.ids]
    assert places == sorted(set(places))
    assert [whole.keys[i] for i in places] == list(left.keys)
    assert [whole.labels[i] for i in places] == list(left.labels)


def test_which_rows_are_left_does_not_depend_on_the_others():
    one = rows((12, 30, 3, 6))
    turned = table((12, 30, 3, 6)).take(range(len(one.validation) - 1, -1, -1))
    first, second = (
        set(with_validation_mix(split, "balanced").validation.ids)
        for split in (one, replace(one, validation=turned))
    )
    assert first == second


def test_every_column_of_a_row_comes_along_and_empty_ones_stay_empty():
    whole = table((1, 2, 0, 0), speakers=("a", "b", "c"), shares=((1.0, 0.0),) * 3)
    assert whole.take([2, 0]) == RowTable(
        ("row002", "row000"),
        ("hash of row002", "hash of row000"),
        (1, 0),
        ("c", "a"),
        ((1.0, 0.0), (1.0, 0.0)),
    )


def test_a_search_has_one_mix():
    with pytest.raises(ConfigError, match=r"validation_mix.*cannot be searched"):
        SearchSpec.load("cnn", ["space.training.validation_mix={choice: [corpus, balanced]}"])


def test_dimensions_have_no_mix_of_emotions():
    with pytest.raises(ConfigError, match=r"--set training.validation_mix=corpus"):
        SearchSpec.load("cnn", ["training.task=dimensions", "training.validation_mix=balanced"])


def test_settings_without_another_mix_are_what_they_were():
    spec = SearchSpec.load("cnn")
    assert "validation_mix" not in spec.base.training.identity()
    other = SearchSpec.load("cnn", ["training.validation_mix=reversed"])
    assert other.base.identity() != spec.base.identity()
