"""Text- and session-independent splits: what they declare holds, whatever the corpus."""

import os
from collections import Counter
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from protocol_corpora import crossed, gappy, made

from raysearch.config.base import build
from raysearch.config.identity import canonical_json
from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.errors import ConfigError, DataError
from raysearch.protocols.audit import audit
from raysearch.protocols.folds import outer_folds
from raysearch.protocols.groups import session_of, text_of
from raysearch.protocols.splits import ProtocolConfig, make_split
from raysearch.protocols.validation import SESSION_SHARED, SPEAKER_SHARED, TEXT_SHARED

KEYS = {
    "speaker_independent": {SPEAKER_SHARED: lambda row: row.speaker},
    "text_independent": {SPEAKER_SHARED: lambda row: row.speaker, TEXT_SHARED: text_of},
    "session_independent": {SESSION_SHARED: session_of},
    "paper": {},
}


NAMES = st.sampled_from(sorted(KEYS))


TEXTS = ProtocolConfig(name="text_independent")


SESSIONS = ProtocolConfig(name="session_independent")


def split_or_reject(corpus, config):
    try:
        return make_split(corpus, config)
    except DataError:
        reject()  # too few rows of a class: refused, which is another test's matter


def held_out_speakers(rows):
    # In fold 2 the speaker rule alone would part two partners.
    return {row.speaker for row in make_split(made(rows), ProtocolConfig(fold=2)).validation}


def sharing(first, second, value_of):
    return {value_of(row) for row in first} & {value_of(row) for row in second}


@settings(max_examples=100, deadline=None)
@given(gappy(), NAMES, st.integers(0, 1))
def test_declared_keys_are_disjoint_and_every_row_has_one_place(corpus, name, fold):
    split = split_or_reject(corpus, ProtocolConfig(name=name, fold=fold))
    counts = Counter(row["utterance"] for row in split.rows())
    assert counts == Counter(row.id for row in corpus.utterances)
    assert split.train
    assert split.validation
    assert split.test
    for (first, first_rows), (second, second_rows) in combinations(split.sides(), 2):
        for note, value_of in KEYS[name].items():
            if "test" in (first, second) or note not in split.notes:
                assert not sharing(first_rows, second_rows, value_of)
    audit(split).check()
    assert bool(split.left_out) <= (name == "text_independent")


@settings(max_examples=60, deadline=None)
@given(gappy(), NAMES, st.randoms())
def test_neither_order_nor_rows_that_touch_the_test_move_a_split(corpus, name, random):
    config = ProtocolConfig(name=name)
    split = split_or_reject(corpus, config)
    broken = {row.id for row in split.test} | {
        row.id
        for row in split.left_out
        if any(sharing([row], split.test, value_of) for value_of in KEYS[name].values())
    }
    rows = [
        replace(
            row,
            content_hash=f"broken-{row.id}",
            emotion=random.choice(["angry", "never heard"]),
            duration_s=None,
            sample_rate=None,
            sex=None,
            path="/elsewhere",
        )
        if row.id in broken
        else row
        for row in corpus.utterances
    ]
    random.shuffle(rows)
    again = make_split(replace(corpus, utterances=tuple(rows)), config)
    assert canonical_json(again.identity()) == canonical_json(split.identity())
    assert (again.train, again.validation, again.notes) == (
        split.train,
        split.validation,
        split.notes,
    )
    assert [row.id for row in again.test] == [row.id for row in split.test]


@settings(max_examples=40, deadline=None)
@given(gappy(), NAMES, st.integers(2, 6))
def test_every_utterance_is_tested_exactly_once(corpus, name, number):
    config = ProtocolConfig(name=name, num_folds=number, num_text_groups=number)
    folds = outer_folds(corpus, config)
    assert Counter(i for fold in folds for i in fold) == Counter(r.id for r in corpus.utterances)
    assert all(folds)


def test_folds_cross_speakers_with_texts():
    corpus = crossed(10, 10)
    folds = outer_folds(corpus, TEXTS)
    assert len(folds) == 25
    assert {len(fold) for fold in folds} == {2 * 2 * 4}
    fewer = ProtocolConfig(name="text_independent", num_folds=3, num_text_groups=2)
    assert len(outer_folds(corpus, fewer)) == 6
    alone = ProtocolConfig(name="text_independent", folds="leave_one_speaker_out")
    assert len(outer_folds(corpus, alone)) == 50


@pytest.mark.parametrize(("name", "num_speakers"), [("ravdess", 24), ("demo", 12)])
def test_two_texts_test_one_and_share_the_other_in_validation(name, num_speakers):
    corpus = crossed(num_speakers, 2, name=name)
    assert len(outer_folds(corpus, TEXTS)) == 12
    split = make_split(corpus, TEXTS)
    texts = [{row.text for row in rows} for _, rows in split.sides()]
    assert texts[0] == texts[1]
    assert texts[0].isdisjoint(texts[2])
    assert TEXT_SHARED in split.notes
    verdict = audit(split)
    verdict.check()
    assert verdict.verdict == "clean"
    num_mixed = len(corpus.utterances) // 2
    assert f"text_independent: {num_mixed} utterances of mixed quadrants left out" in split.notes


def test_more_texts_are_held_out_for_validation_too():
    split = make_split(crossed(10, 10), TEXTS)
    texts = [{row.text for row in rows} for _, rows in split.sides()]
    assert [len(one) for one in texts] == [6, 2, 2]
    assert not split.notes[0].startswith(TEXT_SHARED)
    sizes = [len(rows) for _, rows in split.sides()]
    assert sizes == [6 * 6 * 4, 2 * 2 * 4, 2 * 2 * 4]
    assert len(split.left_out) == 400 - sum(sizes)


def test_texts_are_compared_without_case_spacing_and_final_points():
    corpus = crossed(6, 4)
    rows = [
        replace(one, text=f"  {one.text.upper()}." if one.speaker == "01" else one.text)
        for one in corpus.utterances
    ]
    assert outer_folds(made(rows), TEXTS) == outer_folds(corpus, TEXTS)


def test_a_manifests_own_sides_are_crossed_with_texts():
    names = {"01": "validation", "02": "validation", "03": "test", "04": "test"}
    rows = [replace(r, split=names.get(r.speaker, "train")) for r in crossed(8, 10).utterances]
    split = make_split(made(rows), TEXTS)
    audit(split).check()
    assert split.num_folds == 5
    assert {row.speaker for row in split.validation} == {"01", "02"}
    assert {row.speaker for row in split.test} == {"03", "04"}
    assert TEXT_SHARED not in split.notes


def test_sessions_are_the_folds_and_validation_is_one_of_them():
    corpus = crossed(10, 3)
    assert len(outer_folds(corpus, SESSIONS)) == 5
    for fold in range(5):
        split = make_split(corpus, SESSIONS.model_copy(update={"fold": fold}))
        sessions = [{row.session for row in rows} for _, rows in split.sides()]
        assert [len(one) for one in sessions] == [3, 1, 1]
        assert sessions[2] == {str(fold + 1)}
        assert len({row.speaker for row in split.validation}) == 2


def test_many_sessions_are_grouped_and_sorted_numbers_stay_apart():
    folds = outer_folds(crossed(24, 2), SESSIONS)
    assert len(folds) == 5
    few = ProtocolConfig(name="session_independent", num_folds=12)
    corpus = crossed(24, 2)
    tested = [{r.session for r in corpus.utterances if r.id in f} for f in outer_folds(corpus, few)]
    assert tested == [{str(number)} for number in range(1, 13)]


def test_the_last_session_is_shared_and_said_so():
    split = make_split(crossed(4, 3), SESSIONS)
    assert SESSION_SHARED in split.notes
    verdict = audit(split)
    verdict.check()
    assert verdict.verdict == "clean"
    assert not sharing(split.train, split.validation, lambda row: row.speaker)


def test_iemocap_validates_on_a_whole_session_of_its_folds():
    rows = [
        replace(one, speaker=f"Ses0{one.session}_{'M' if one.sex == 'male' else 'F'}")
        for one in crossed(10, 3, name="iemocap").utterances
    ]
    corpus = made(rows, "iemocap")
    for fold in range(5):
        split = make_split(corpus, ProtocolConfig(fold=fold))
        assert {row.session for row in split.test} == {str(fold + 1)}
        (session,) = {row.session for row in split.validation}
        assert {row.session for row in split.train}.isdisjoint({session, str(fold + 1)})


def test_sessions_that_tie_no_speakers_leave_the_speaker_rule_alone():
    tied = crossed(10, 3).utterances
    without = [replace(one, session=None) for one in tied]
    own = [replace(one, session=one.speaker) for one in tied]
    everywhere = [replace(one, session=one.text) for one in tied]
    partly = [replace(one, session=None if one.id[-3:] == "d-0" else one.session) for one in tied]
    expected = held_out_speakers(without)
    assert expected == held_out_speakers(own) == held_out_speakers(everywhere)
    assert expected == held_out_speakers(partly)
    assert (expected, held_out_speakers(tied)) == ({"02", "05"}, {"05", "06"})


@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        ({"text": None}, TEXTS, "'made-01-0-angry-0' has no text.*column 'text'"),
        ({"text": " . "}, TEXTS, "has no text"),
        ({"session": None}, SESSIONS, "'made-01-0-angry-0' has no session.*column 'session'"),
        ({"session": ""}, SESSIONS, "has no session"),
    ],
)
def test_a_row_without_the_key_is_named(change, config, message):
    rows = list(crossed(6, 4).utterances)
    rows[0] = replace(rows[0], **change)
    with pytest.raises(DataError, match=message):
        make_split(made(rows), config)
    columns = [replace(row, fold=row.session or "1") for row in rows]
    with pytest.raises(DataError, match=message):
        make_split(made(columns), config)


def test_one_text_or_session_is_refused_with_a_way_out():
    with pytest.raises(DataError, match=r"only one text \('made says 0'\).*speaker_independent"):
        outer_folds(crossed(4, 1), TEXTS)
    with pytest.raises(DataError, match=r"only one session \('made/1'\).*speaker_independent"):
        outer_folds(crossed(2, 4), SESSIONS)
    with pytest.raises(DataError, match="no utterance"):
        outer_folds(made([]), SESSIONS)


def test_sessions_do_not_go_with_leaving_out_speakers():
    with pytest.raises(ConfigError, match=r"leave protocol\.folds out"):
        build(
            ProtocolConfig,
            {"name": "session_independent", "folds": "leave_one_speaker_out"},
            prefix="protocol",
        )


@pytest.mark.skipif("RAYSEARCH_EMODB" not in os.environ, reason="RAYSEARCH_EMODB names no folder")
def test_emodb_is_text_independent_in_every_fold(tmp_path):
    corpus = load_corpus(CorpusConfig(name="emodb", data=os.environ["RAYSEARCH_EMODB"]), tmp_path)
    for fold in range(25):
        split = make_split(corpus, TEXTS.model_copy(update={"fold": fold}))
        audit(split).check()
        assert split.num_folds == 25
        assert TEXT_SHARED not in split.notes
        assert min(Counter(one.emotion for one in split.train).values()) >= 5
        assert {one.emotion for one in split.validation} == set(corpus.emotions)
