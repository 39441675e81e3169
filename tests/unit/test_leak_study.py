"""The four arms: equal in size, and each leaking exactly what it says."""

from collections import Counter

import pytest
from protocol_corpora import regular

from raysearch.evaluation.leak_arms import arms_of
from raysearch.evaluation.leak_study import CELLS
from raysearch.protocols.splits import ProtocolConfig, make_split


@pytest.fixture(scope="module")
def split():
    return make_split(regular(10), ProtocolConfig())


@pytest.fixture(scope="module")
def arms(split):
    return {arm.name: arm for arm in arms_of(split, CELLS)}


def ids(rows):
    return {row.utterance.id for row in rows}


def speakers(rows):
    return {row.utterance.speaker for row in rows}


def test_every_arm_learns_from_as_many_rows(arms):
    assert len({len(arm.train) for arm in arms.values()}) == 1
    assert [name for name, arm in arms.items() if arm.valid] == ["C"]


def test_only_a_has_siblings_on_both_sides(arms):
    for name, arm in arms.items():
        names = [row.name for row in (*arm.train, *arm.validation, *arm.test)]
        assert len(set(names)) == len(names)
        shares = bool(ids(arm.train) & ids(arm.test))
        assert shares == (name == "A")
        assert not any(row.cell for row in arm.test)
    assert all(row.cell for row in arms["A"].augmented_test)
    assert arms["A"].augmented_test


def test_siblings_alone_tell_a_from_b(arms):
    a, b = arms["A"], arms["B"]
    assert a.test == b.test
    assert [row for row in a.validation if not row.cell] == list(b.validation)
    assert {row.cell for row in a.augmented_test} == set(CELLS)
    names = {row.name for row in (*a.train, *a.validation, *a.test, *a.augmented_test)}
    assert len(names) == sum(map(len, (a.train, a.validation, a.test, a.augmented_test)))
    # Nearly every tested original has a sibling among the rows that A learns from.
    assert len(ids(a.test) & ids(a.train)) > 0.8 * len(a.test)


def test_only_c_keeps_speakers_apart(arms):
    for name, arm in arms.items():
        assert bool(speakers(arm.train) & speakers(arm.test)) == (name != "C")


def test_d_is_b_with_other_labels(arms, split):
    b, d = arms["B"], arms["D"]
    assert d.test == b.test
    assert {row.name for row in d.train} == {row.name for row in b.train}
    moved = [row for row in d.train if row.emotion != row.utterance.emotion]
    assert len(moved) > len(d.train) / 3
    # Siblings get one label, wrong as it may be.
    labels = {}
    for row in d.train:
        assert labels.setdefault(row.utterance.id, row.emotion) == row.emotion
    for arm in (arms["A"], b, arms["C"]):
        assert all(row.emotion == row.utterance.emotion for row in arm.train)
    assert Counter(r.emotion for r in d.test) == Counter(r.utterance.emotion for r in b.test)
