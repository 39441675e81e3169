"""The four arms: equal in size, each leaking exactly what it says, all tested on everything."""

from collections import Counter

import pytest
from protocol_corpora import regular

from raysearch.errors import UserError
from raysearch.evaluation.leak_arms import arms_of
from raysearch.evaluation.leak_study import CELLS, check_spec
from raysearch.spec import SearchSpec


@pytest.fixture(scope="module")
def corpus():
    return regular(10)


@pytest.fixture(scope="module")
def arms(corpus):
    return arms_of(SearchSpec.load("cnn1d_attention"), corpus, CELLS)


def ids(rows):
    return {row.utterance.id for row in rows}


def speakers(rows):
    return {row.utterance.speaker for row in rows}


def originals(rows):
    return [row for row in rows if row.is_original]


def test_every_arm_learns_from_as_many_rows(arms):
    assert len({len(fold.train) for folds in arms.values() for fold in folds}) == 1


def test_what_learns_by_votes_is_refused():
    with pytest.raises(UserError, match=r"leak-study learns from labels .*: no training\.targets"):
        check_spec(SearchSpec.load("cnn", [("training.targets", "distribution")]))


@pytest.mark.parametrize("name", "ABCD")
def test_every_recording_is_tested_once(arms, corpus, name):
    tested = Counter(row.utterance.id for fold in arms[name] for row in originals(fold.test))
    assert tested == {row.id: 1 for row in corpus.utterances}


def test_only_a_has_siblings_on_both_sides(arms):
    for name, folds in arms.items():
        for fold in folds:
            assert not {row.name for row in fold.train} & {row.name for row in fold.test}
            shares = bool(ids(fold.train) & ids(originals(fold.test)))
            assert shares == (name == "A")
            assert (len(originals(fold.test)) < len(fold.test)) == (name == "A")


def test_siblings_and_the_choice_by_test_alone_tell_a_from_b(arms):
    for a, b in zip(arms["A"], arms["B"], strict=True):
        assert originals(a.test) == list(b.test)
        assert a.validation == a.test
        assert not ids(b.validation) & ids(b.test)
        assert {row.cell for row in a.test} == {"", *CELLS}
        # Nearly every tested original has a sibling among the rows that A learns from.
        assert len(ids(originals(a.test)) & ids(a.train)) > 0.8 * len(originals(a.test))


def test_only_c_keeps_speakers_apart(arms):
    for name, folds in arms.items():
        for fold in folds:
            assert bool(speakers(fold.train) & speakers(fold.test)) == (name != "C")


def test_d_is_b_with_other_labels(arms):
    for b, d in zip(arms["B"], arms["D"], strict=True):
        assert d.test == b.test
        assert {row.name for row in d.train} == {row.name for row in b.train}
        moved = [row for row in d.train if row.emotion != row.utterance.emotion]
        assert len(moved) > len(d.train) / 3
        # Siblings get one label, wrong as it may be.
        labels = {}
        for row in d.train:
            assert labels.setdefault(row.utterance.id, row.emotion) == row.emotion
    for name in "ABC":
        for fold in arms[name]:
            assert all(row.emotion == row.utterance.emotion for row in fold.train)
