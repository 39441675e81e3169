"""The audit finds what is shared, and only refuses what the protocol declares disjoint."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from protocol_corpora import corpora, regular, row

from raysearch.errors import LeakError
from raysearch.protocols.audit import audit, check_siblings
from raysearch.protocols.splits import ProtocolConfig, Split, make_split
from raysearch.protocols.validation import SESSION_SHARED, SPEAKER_SHARED, TEXT_SHARED


def split_of(train, validation, test, *, protocol="speaker_independent", notes=()):
    return Split(protocol, 0, 5, tuple(train), tuple(validation), tuple(test), notes)


A = row("a", "01", "angry", text="kids")
B = row("b", "02", "angry", text="dogs")
C = row("c", "03", "angry", text="cats")


@settings(max_examples=30, deadline=None)
@given(corpora(min_speakers=3))
def test_speaker_independent_splits_are_clean(corpus):
    report = audit(make_split(corpus, ProtocolConfig()))
    report.check()
    assert report.verdict == "clean"


def test_nothing_shared_gives_no_line():
    assert audit(split_of([A], [B], [C])).lines() == ["audit of speaker_independent: clean"]


@pytest.mark.parametrize(
    ("field", "word"),
    [("speaker", "speaker"), ("content_hash", "audio content"), ("id", "utterance")],
)
@pytest.mark.parametrize(
    "pair", [("train", "validation"), ("train", "test"), ("validation", "test")]
)
def test_each_declared_key_is_refused_between_each_pair(field, word, pair):
    sides = {"train": [A], "validation": [B], "test": [C]}
    value = getattr(sides[pair[0]][0], field)
    sides[pair[1]] = [*sides[pair[1]], replace(row("d", "04", "sad"), **{field: value})]
    report = audit(split_of(*sides.values()))
    assert report.verdict == "leak"
    with pytest.raises(LeakError) as caught:
        report.check()
    message = str(caught.value)
    assert f"1 {word}(s) in both {pair[0]} and {pair[1]}: {value}" in message
    assert "\n" not in message
    assert caught.value.exit_code == 3


def test_text_and_session_are_reported_only():
    rows = [replace(one, text="kids", session="1") for one in (A, B, C)]
    report = audit(split_of(*[[one] for one in rows]))
    report.check()
    assert report.verdict == "clean"
    assert {(overlap.key, overlap.meaning) for overlap in report.overlaps} == {
        ("text", "reported"),
        ("session", "reported"),
    }
    assert report.brief() == [
        "audit of speaker_independent: clean (sessions and texts shared between sides, as allowed)"
    ]


def test_missing_texts_are_not_shared():
    rows = [replace(one, text=None) for one in (A, B, C)]
    assert audit(split_of(*[[one] for one in rows])).overlaps == ()


def test_paper_counts_its_overlaps_and_calls_them_optimistic():
    split = make_split(regular(4), ProtocolConfig(name="paper"))
    report = audit(split)
    report.check()
    assert report.verdict == "optimistic"
    shared = {one.speaker for one in split.train} & {one.speaker for one in split.test}
    (found,) = [o for o in report.overlaps if o.key == "speaker" and o.sides == ("train", "test")]
    assert found.count == len(shared)


def test_shared_validation_speaker_is_exempt_only_with_its_note():
    twin = replace(B, speaker="01")
    marked = audit(split_of([A], [twin], [C], notes=(SPEAKER_SHARED,)))
    marked.check()
    assert marked.verdict == "clean"
    assert SPEAKER_SHARED in marked.lines()
    assert audit(split_of([A], [twin], [C])).verdict == "leak"
    with_test = split_of([A], [twin], [replace(C, speaker="01")], notes=(SPEAKER_SHARED,))
    assert audit(with_test).verdict == "leak"


def test_a_leaking_fold_column_is_refused():
    corpus = regular(6)
    rows = [replace(one, fold=one.id[-1]) for one in corpus.utterances]
    split = make_split(replace(corpus, utterances=tuple(rows)), ProtocolConfig())
    with pytest.raises(LeakError, match=r"made: .* speaker\(s\) in both train and test: 0"):
        audit(split).check()


def test_plain_data_survives_json():
    data = audit(make_split(regular(4), ProtocolConfig(name="paper"))).to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["verdict"] == "optimistic"
    assert {"key", "sides", "count", "examples", "meaning"} == set(data["overlaps"][0])


def test_long_values_are_cut_in_lines():
    long = "x" * 500
    report = audit(split_of([replace(A, text=long)], [replace(B, text=long)], [C]))
    assert max(len(line) for line in report.lines()) < 120


@pytest.mark.parametrize(
    ("protocol", "field", "note"),
    [
        ("text_independent", "text", TEXT_SHARED),
        ("text_independent", "speaker", SPEAKER_SHARED),
        ("session_independent", "session", SESSION_SHARED),
    ],
)
def test_keys_of_the_other_protocols_are_refused_unless_validation_says_so(protocol, field, note):
    twin = replace(B, **{field: "same"})
    other = replace(A, **{field: "same"})
    with pytest.raises(LeakError, match=f"1 {field}.*in both train and validation"):
        audit(split_of([other], [twin], [C], protocol=protocol)).check()
    marked = audit(split_of([other], [twin], [C], protocol=protocol, notes=(note,)))
    marked.check()
    assert marked.verdict == "clean"
    with pytest.raises(LeakError, match=f"1 {field}.*in both train and test"):
        audit(split_of([other], [B], [twin], protocol=protocol, notes=(note,))).check()


def test_a_text_in_other_letters_is_the_same_text():
    twin = replace(C, text="Kids.")
    with pytest.raises(LeakError, match=r"1 text.*kids"):
        audit(split_of([A], [B], [twin], protocol="text_independent")).check()


def test_session_independence_reports_speakers_and_refuses_equal_audio():
    rows = [replace(one, speaker="01", session=one.id) for one in (A, B, C)]
    report = audit(split_of(*[[one] for one in rows], protocol="session_independent"))
    report.check()
    assert {overlap.key for overlap in report.overlaps} == {"speaker"}
    same = replace(rows[2], content_hash=rows[0].content_hash)
    with pytest.raises(LeakError, match="audio content"):
        audit(split_of([rows[0]], [rows[1]], [same], protocol="session_independent")).check()


def test_augmented_siblings_of_held_out_rows_are_refused():
    train = ["aa", "bb", "aa+noise:20", "bb+pitch:0.7"]
    check_siblings(train, {"cc", "dd"})
    check_siblings([], {"cc"})
    with pytest.raises(LeakError, match=r"2 training row.*: cc\+noise:20, cc\+pitch:2: augment"):
        check_siblings([*train, "cc+pitch:2", "cc+noise:20"], {"cc", "dd"})
    with pytest.raises(LeakError, match=r"1 training row"):
        check_siblings([*train, "dd"], {"cc", "dd"})
