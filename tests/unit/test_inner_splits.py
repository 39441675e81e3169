"""Several validation sets inside one training side: disjoint, alike, and the first is the usual."""

from dataclasses import replace

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from protocol_corpora import corpora, crossed, gappy, joined, made, regular

from raysearch.config.base import build
from raysearch.config.search import SearchConfig
from raysearch.errors import ConfigError, DataError
from raysearch.protocols.audit import audit
from raysearch.protocols.splits import ProtocolConfig, inner_splits, make_split
from raysearch.protocols.validation import SPEAKER_SHARED, Validation, is_small

NAMES = st.sampled_from(["speaker_independent", "text_independent", "session_independent", "paper"])


def ids(rows):
    return {row.id for row in rows}


def alone(corpus):
    """Without sessions, so that speakers have no partners."""
    return made([replace(row, session=None) for row in corpus.utterances], corpus.name)


def most(corpus, config):
    """All the disjoint sets that there are."""
    splits = [make_split(corpus, config)]
    for number in range(2, 11):
        try:
            splits = inner_splits(corpus, config, number)
        except ConfigError:
            break
    return splits


@settings(max_examples=60, deadline=None)
@given(gappy() | corpora(4, 12), NAMES, st.integers(0, 1))
def test_sets_are_disjoint_and_the_test_and_its_training_side_stay(corpus, name, fold):
    config = ProtocolConfig(name=name, fold=fold)
    try:
        splits = most(corpus, config)
    except DataError:
        reject()
    assert splits[0] == make_split(corpus, config)
    held_out = [ids(split.validation) for split in splits]
    assert len(set().union(*held_out)) == sum(map(len, held_out))
    for split in splits:
        audit(split).check()
        assert split.test == splits[0].test
        assert split.labels == splits[0].labels
        placed = [ids(rows) for _, rows in split.sides()] + [ids(split.left_out)]
        assert sum(map(len, placed)) == len(set().union(*placed)) == len(corpus.utterances)
        assert (SPEAKER_SHARED in split.notes) == (SPEAKER_SHARED in splits[0].notes)


@pytest.mark.parametrize(
    ("config", "possible"),
    [
        (ProtocolConfig(), 4),  # ten speakers: two are tested, the others validate in pairs
        (ProtocolConfig(name="session_independent"), 4),
        (ProtocolConfig(name="paper"), 5),
    ],
)
def test_all_of_a_training_side_can_take_its_turn(config, possible):
    corpus = crossed(10, 5)
    if config.name == "speaker_independent":
        corpus = alone(corpus)
    splits = inner_splits(corpus, config, possible)
    side = ids(splits[0].train) | ids(splits[0].validation)
    assert set().union(*(ids(split.validation) for split in splits)) == side
    with pytest.raises(ConfigError, match=rf"has {possible} disjoint .* give {possible} or fewer"):
        inner_splits(corpus, config, possible + 1)


def test_partners_are_never_parted_when_sessions_run_out():
    corpus = made([replace(row, fold=row.session) for row in crossed(10, 3).utterances])
    splits = inner_splits(corpus, ProtocolConfig(), 4)
    assert [len({row.session for row in split.validation}) for split in splits] == [1] * 4
    assert [len({row.speaker for row in split.validation}) for split in splits] == [2] * 4
    with pytest.raises(ConfigError, match="give 4 or fewer"):
        inner_splits(corpus, ProtocolConfig(), 5)


def test_one_training_speaker_gives_disjoint_fifths_of_its_texts():
    splits = inner_splits(regular(2, per_class=20), ProtocolConfig(), 5)
    texts = [{row.text for row in split.validation} for split in splits]
    assert [len(one) for one in texts] == [4] * 5
    assert len(set().union(*texts)) == 20
    assert all(SPEAKER_SHARED in split.notes for split in splits)


def test_each_set_of_a_joined_corpus_has_every_corpus():
    corpus = alone(joined(crossed(10, 4, name="a"), crossed(5, 4, name="b")))
    splits = most(corpus, ProtocolConfig())
    assert len(splits) == 4
    assert all({row.corpus for row in split.validation} == {"a", "b"} for split in splits)


def test_a_given_validation_side_is_the_only_one():
    names = {"01": "validation", "02": "test"}
    rows = [replace(r, split=names.get(r.speaker, "train")) for r in regular(9).utterances]
    assert len(inner_splits(made(rows), ProtocolConfig(), 1)) == 1
    with pytest.raises(ConfigError, match=r"search.inner_folds is 2: fold 0 of made has 1"):
        inner_splits(made(rows), ProtocolConfig(), 2)


def test_the_setting_is_bounded():
    assert SearchConfig().inner_folds is None
    for number in (0, 11):
        with pytest.raises(ConfigError, match="inner_folds"):
            build(SearchConfig, {"inner_folds": number}, prefix="search")


def test_small_validation_gets_a_second_set_by_itself():
    corpus, config = alone(regular(10)), ProtocolConfig()
    assert len(inner_splits(corpus, config, None)) == 2
    assert inner_splits(corpus, config, None) == inner_splits(corpus, config, 2)
    assert len(inner_splits(corpus, config, 1)) == 1


def test_large_validation_is_enough():
    rows = regular(16, per_class=60).utterances
    few, many = (Validation(frozenset(r.id for r in rows if int(r.speaker) <= n)) for n in (2, 6))
    assert is_small(rows, few)
    assert not is_small(rows, many)


def test_a_given_validation_side_is_not_added_to():
    names = {"01": "validation", "02": "test"}
    rows = [replace(r, split=names.get(r.speaker, "train")) for r in regular(9).utterances]
    assert len(inner_splits(made(rows), ProtocolConfig(), None)) == 1


def test_with_all_the_sets_there_are_everyone_is_validated_once():
    splits = most(alone(regular(12)), ProtocolConfig())
    side = {row.speaker for row in (*splits[0].train, *splits[0].validation)}
    validated = [s for split in splits for s in sorted({row.speaker for row in split.validation})]
    assert sorted(validated) == sorted(side)
