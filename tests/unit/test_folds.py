"""Outer folds: complete, disjoint, and deaf to everything but speakers and ids."""

from collections import Counter
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_corpora import EMOTIONS, corpora, made, regular

from raysearch.errors import DataError
from raysearch.protocols.folds import ProtocolConfig, outer_folds

EMODB = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")


def speakers_of(corpus, fold):
    return sorted({row.speaker for row in corpus.utterances if row.id in fold})


@settings(max_examples=40, deadline=None)
@given(corpora(), st.sampled_from(["speaker_independent", "paper"]), st.integers(2, 6))
def test_every_utterance_is_tested_exactly_once(corpus, name, num_folds):
    folds = outer_folds(corpus, ProtocolConfig(name=name, num_folds=num_folds))
    counts = Counter(identifier for fold in folds for identifier in fold)
    assert counts == Counter(row.id for row in corpus.utterances)
    assert all(folds)


@settings(max_examples=40, deadline=None)
@given(corpora(), st.integers(2, 6))
def test_dealt_folds_share_no_speaker_and_are_even(corpus, num_folds):
    folds = outer_folds(corpus, ProtocolConfig(num_folds=num_folds))
    groups = [speakers_of(corpus, fold) for fold in folds]
    assert len(groups) == min(num_folds, len(corpus.speakers))
    assert sorted(chain.from_iterable(groups)) == sorted(corpus.speakers)
    assert max(map(len, groups)) - min(map(len, groups)) <= 1


@settings(max_examples=30, deadline=None)
@given(corpora(), st.randoms())
def test_folds_depend_on_neither_order_labels_nor_audio(corpus, random):
    rows = [
        replace(row, emotion="other", content_hash=f"x{row.id}", duration_s=None, sample_rate=None)
        for row in corpus.utterances
    ]
    random.shuffle(rows)
    changed = replace(corpus, utterances=tuple(rows))
    for name in ("speaker_independent", "paper"):
        config = ProtocolConfig(name=name)
        assert outer_folds(corpus, config) == outer_folds(changed, config)


def test_losing_utterances_of_a_speaker_moves_no_other():
    corpus = regular(10)
    fewer = made([row for row in corpus.utterances if row.speaker != "04" or "angry" in row.id])
    config = ProtocolConfig()
    before = [speakers_of(corpus, fold) for fold in outer_folds(corpus, config)]
    after = [speakers_of(fewer, fold) for fold in outer_folds(fewer, config)]
    assert before == after


@pytest.mark.parametrize(
    ("name", "speakers", "shape"),
    [
        ("ravdess", [f"{number:02d}" for number in range(1, 25)], (6, 4)),
        ("demo", [f"{number:02d}" for number in range(1, 13)], (6, 2)),
        ("emodb", EMODB, (5, 2)),
    ],
)
def test_committed_assignments_have_the_published_shape_and_both_sexes(name, speakers, shape):
    women = {"08", "09", "13", "14", "16"} if name == "emodb" else set(speakers[1::2])
    template = regular(1).utterances
    corpus = made(
        [
            replace(row, id=f"{speaker}-{row.id}", speaker=speaker)
            for speaker in speakers
            for row in template
        ],
        name,
    )
    groups = [speakers_of(corpus, fold) for fold in outer_folds(corpus, ProtocolConfig())]
    assert (len(groups), {len(group) for group in groups}) == (shape[0], {shape[1]})
    assert sorted(chain.from_iterable(groups)) == sorted(speakers)
    assert all(len(women & set(group)) == shape[1] // 2 for group in groups)


def test_part_of_a_known_corpus_is_dealt():
    groups = outer_folds(regular(4, name="ravdess"), ProtocolConfig())
    assert len(groups) == 4


def test_a_stranger_in_a_known_corpus_is_refused():
    with pytest.raises(DataError, match=r"demo: speaker '13'"):
        outer_folds(regular(13, name="demo"), ProtocolConfig())


def test_leave_one_speaker_out():
    corpus = regular(7)
    folds = outer_folds(corpus, ProtocolConfig(folds="leave_one_speaker_out"))
    assert [speakers_of(corpus, fold) for fold in folds] == [[s] for s in corpus.speakers]


def test_paper_folds_are_fifths():
    corpus = regular(9, per_class=3)
    sizes = [len(fold) for fold in outer_folds(corpus, ProtocolConfig(name="paper"))]
    assert len(sizes) == 5
    assert max(sizes) - min(sizes) <= 1


def with_column(corpus, column, value_of):
    rows = [replace(row, **{column: value_of(row)}) for row in corpus.utterances]
    return replace(corpus, utterances=tuple(rows))


def test_fold_column_is_followed_in_natural_order():
    corpus = with_column(regular(11), "fold", lambda row: str(int(row.speaker)))
    folds = outer_folds(corpus, ProtocolConfig())
    assert [speakers_of(corpus, fold) for fold in folds] == [[s] for s in corpus.speakers]


def test_split_column_is_one_fold():
    corpus = with_column(
        regular(4), "split", lambda row: "test" if row.speaker == "03" else "train"
    )
    (fold,) = outer_folds(corpus, ProtocolConfig())
    assert speakers_of(corpus, fold) == ["03"]


@pytest.mark.parametrize(
    ("column", "value_of", "message"),
    [
        ("fold", lambda row: "a", "one value"),
        ("fold", lambda row: None if row.id == "01-angry-0" else row.speaker, "'01-angry-0'"),
        ("split", lambda row: "holdout" if row.id == "01-angry-0" else "train", "'holdout'"),
        ("split", lambda row: None if row.id == "01-angry-0" else "train", "'01-angry-0'"),
        ("split", lambda row: "train", "no utterance as test"),
        ("split", lambda row: "test", "no utterance as train"),
    ],
)
def test_unusable_columns_are_refused(column, value_of, message):
    with pytest.raises(DataError, match=message):
        outer_folds(with_column(regular(4), column, value_of), ProtocolConfig())


@pytest.mark.parametrize("folds", ["default", "leave_one_speaker_out"])
def test_one_speaker_is_refused_with_a_way_out(folds):
    with pytest.raises(DataError, match="--protocol paper"):
        outer_folds(regular(1), ProtocolConfig(folds=folds))


def test_empty_and_tiny_corpora_are_refused():
    with pytest.raises(DataError, match="no utterance"):
        outer_folds(made([]), ProtocolConfig())
    with pytest.raises(DataError, match="4 utterances"):
        outer_folds(regular(1, per_class=1, emotions=EMOTIONS), ProtocolConfig(name="paper"))
