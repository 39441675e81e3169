"""Folds, texts and sessions of several corpora at once."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from protocol_corpora import corpora, crossed, joined, made

from raysearch.protocols.audit import audit
from raysearch.protocols.folds import outer_folds
from raysearch.protocols.splits import ProtocolConfig, make_split
from raysearch.protocols.validation import TEXT_SHARED

TEXTS = ProtocolConfig(name="text_independent")


SESSIONS = ProtocolConfig(name="session_independent")


def test_joined_corpora_are_dealt_evenly_each():
    corpus = joined(crossed(10, 4, name="a"), crossed(5, 4, name="b"), crossed(3, 4, name="c"))
    folds = outer_folds(corpus, ProtocolConfig(num_folds=5))
    speakers = [{row.speaker for row in corpus.utterances if row.id in fold} for fold in folds]
    counts = [Counter(name[0] for name in group) for group in speakers]
    assert all(count["a"] == 2 and count["b"] == 1 and count["c"] <= 1 for count in counts)
    split = make_split(corpus, ProtocolConfig())
    assert {row.corpus for row in split.validation} == {"a", "b", "c"}
    audit(split).check()


@settings(max_examples=30, deadline=None)
@given(corpora(2, 9), corpora(2, 9), st.integers(2, 5))
def test_joined_folds_are_even_within_each_corpus(first, second, num_folds):
    parts = [
        made([replace(one, corpus=name) for one in corpus.utterances], name)
        for name, corpus in (("a", first), ("b", second))
    ]
    corpus = joined(*parts)
    folds = outer_folds(corpus, ProtocolConfig(num_folds=num_folds))
    for part in parts:
        counts = [
            len({r.speaker for r in corpus.utterances if r.id in fold and r.corpus == part.name})
            for fold in folds
        ]
        assert max(counts) - min(counts) <= 1
        assert sum(counts) == len(part.speakers)


def test_a_joined_corpus_with_one_training_speaker_spares_none():
    corpus = joined(crossed(10, 3, name="a"), crossed(2, 3, name="b"))
    split = make_split(corpus, ProtocolConfig(num_folds=2))
    assert {row.corpus for row in split.validation} == {"a"}
    assert "val: no speaker of b" in split.notes


def test_joined_texts_are_all_held_out_or_all_shared():
    both = joined(crossed(8, 8, name="a"), crossed(8, 8, name="b"))
    split = make_split(both, TEXTS)
    audit(split).check()
    assert TEXT_SHARED not in split.notes
    assert [{row.corpus for row in rows} for _, rows in split.sides()] == [{"a", "b"}] * 3
    thin = joined(crossed(8, 8, name="a"), crossed(8, 2, name="b"))
    config = ProtocolConfig(name="text_independent", num_text_groups=2)
    split = make_split(thin, config)
    audit(split).check()
    assert TEXT_SHARED in split.notes
    assert {row.corpus for row in split.validation} == {"a", "b"}


def test_equal_session_names_of_two_corpora_are_two_sessions():
    corpus = joined(crossed(4, 3, name="a"), crossed(4, 3, name="b"))
    folds = outer_folds(corpus, SESSIONS)
    assert len(folds) == 4
    assert all(len({r.corpus for r in corpus.utterances if r.id in fold}) == 1 for fold in folds)
