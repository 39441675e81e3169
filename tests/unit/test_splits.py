"""Splits: nothing lost, nothing shared, and nothing of the test side in what a search knows."""

import os
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_corpora import corpora, made, regular, row

from raysearch.config.identity import canonical_json
from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.errors import ConfigError, DataError
from raysearch.protocols.audit import audit
from raysearch.protocols.folds import outer_folds
from raysearch.protocols.splits import ProtocolConfig, make_split
from raysearch.run_folder import SPLIT_COLUMNS

PROTOCOLS = st.sampled_from(
    [
        {"name": "speaker_independent"},
        {"name": "speaker_independent", "folds": "leave_one_speaker_out"},
        {"name": "paper"},
    ]
)


@settings(max_examples=50, deadline=None)
@given(corpora(), PROTOCOLS, st.integers(0, 1))
def test_every_utterance_is_on_exactly_one_side(corpus, protocol, fold):
    split = make_split(corpus, ProtocolConfig(**protocol, fold=fold))
    counts = Counter(one.id for _, side in split.sides() for one in side)
    assert counts == Counter(one.id for one in corpus.utterances)
    assert split.train
    assert split.validation
    assert split.test
    assert split.labels == corpus.emotions


@settings(max_examples=50, deadline=None)
@given(corpora(min_speakers=3), st.integers(0, 2))
def test_no_speaker_is_on_two_sides(corpus, fold):
    split = make_split(corpus, ProtocolConfig(fold=fold))
    train, validation, test = ({one.speaker for one in side} for _, side in split.sides())
    assert train.isdisjoint(validation)
    assert train.isdisjoint(test)
    assert validation.isdisjoint(test)


@settings(max_examples=50, deadline=None)
@given(corpora(), PROTOCOLS, st.randoms())
def test_corrupted_test_rows_leave_the_identity_unchanged(corpus, protocol, random):
    config = ProtocolConfig(**protocol)
    split = make_split(corpus, config)
    tested = {one.id for one in split.test}
    rows = [
        replace(
            one,
            content_hash=f"broken-{one.id}",
            emotion=random.choice(["angry", "happy", "never heard"]),
            duration_s=None,
            sample_rate=None,
            sex=None,
            text=None,
            path="/elsewhere",
        )
        if one.id in tested
        else one
        for one in corpus.utterances
    ]
    random.shuffle(rows)
    again = make_split(replace(corpus, utterances=tuple(rows)), config)
    assert canonical_json(again.identity()) == canonical_json(split.identity())
    assert again.train == split.train
    assert again.validation == split.validation
    assert again.notes == split.notes


def test_identity_follows_training_content_and_labels_but_not_paths():
    corpus = regular(6)
    config = ProtocolConfig()
    split = make_split(corpus, config)
    target = split.train[0].id

    def identity_with(**fields):
        rows = [replace(one, **fields) if one.id == target else one for one in corpus.utterances]
        return make_split(made(rows), config).identity()

    assert identity_with(path="/moved") == split.identity()
    assert identity_with(content_hash="other") != split.identity()
    assert identity_with(emotion=split.labels[-1]) != split.identity()


def test_paper_is_64_16_20():
    split = make_split(regular(10, per_class=5), ProtocolConfig(name="paper"))
    assert [len(side) for _, side in split.sides()] == [128, 32, 40]


def test_rows_for_the_splits_file():
    split = make_split(regular(6), ProtocolConfig(fold=2))
    rows = split.rows()
    assert len(rows) == 96
    assert tuple(rows[0]) == SPLIT_COLUMNS
    assert rows[0]["emotion"] == split.train[0].emotion
    assert {one["fold"] for one in rows} == {2}
    assert Counter(one["split"] for one in rows)["test"] == len(split.test)


def sided(corpus, side_of):
    rows = [replace(one, split=side_of(one)) for one in corpus.utterances]
    return replace(corpus, utterances=tuple(rows))


def test_a_manifests_own_sides_are_kept():
    names = {"01": "dev", "02": "test"}
    split = make_split(
        sided(regular(5), lambda one: names.get(one.speaker, "train")), ProtocolConfig()
    )
    sides = [sorted({one.speaker for one in side}) for _, side in split.sides()]
    assert sides == [["03", "04", "05"], ["01"], ["02"]]
    assert split.num_folds == 1


def test_own_sides_without_validation_get_one_by_the_rule():
    corpus = sided(regular(9), lambda one: "test" if one.speaker == "09" else "train")
    split = make_split(corpus, ProtocolConfig())
    assert len({one.speaker for one in split.validation}) == 2


def test_validation_class_without_training_rows_is_refused():
    corpus = regular(5)
    extra = [row(f"01-bored-{n}", "01", "bored") for n in range(3)]
    names = {"01": "validation", "02": "test"}
    bad = sided(made([*corpus.utterances, *extra]), lambda one: names.get(one.speaker, "train"))
    with pytest.raises(DataError, match="'bored' occurs in validation but not in training"):
        make_split(bad, ProtocolConfig())


@pytest.mark.parametrize(("fold", "allowed"), [(5, "0 to 4"), (99, "0 to 4")])
def test_fold_out_of_range_names_the_range(fold, allowed):
    with pytest.raises(ConfigError, match=f"protocol.fold is {fold}.*{allowed}"):
        make_split(regular(10), ProtocolConfig(fold=fold))


def test_single_utterance_class_is_named():
    rows = [*regular(6).utterances, row("lonely", "01", "bored")]
    tests = outer_folds(made(rows), ProtocolConfig())
    fold = next(number for number, fold in enumerate(tests) if "lonely" not in fold)
    with pytest.raises(DataError, match="'bored' has a single utterance"):
        make_split(made(rows), ProtocolConfig(fold=fold))


def test_one_class_is_refused():
    with pytest.raises(DataError, match="only the class 'angry'"):
        make_split(regular(5, emotions=("angry",)), ProtocolConfig())


def test_thin_validation_is_noted():
    split = make_split(regular(10, per_class=2), ProtocolConfig())
    assert split.notes == ("val: fewer than 5 utterances of: angry 4, happy 4, neutral 4, sad 4",)


@pytest.mark.skipif("RAYSEARCH_EMODB" not in os.environ, reason="RAYSEARCH_EMODB names no folder")
def test_emodb_tests_and_validates_every_emotion_in_every_fold(tmp_path):
    corpus = load_corpus(CorpusConfig(name="emodb", data=os.environ["RAYSEARCH_EMODB"]), tmp_path)
    for fold in range(5):
        split = make_split(corpus, ProtocolConfig(fold=fold))
        audit(split).check()
        assert split.num_folds == 5
        for _, side in split.sides():
            counts = Counter(one.emotion for one in side)
            assert len(counts) == 7
            assert min(counts.values()) >= 5
