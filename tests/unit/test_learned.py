"""What weights have learned from, and that nothing of it may be held out."""

from dataclasses import replace

import pytest
from protocol_corpora import row

from raysearch.errors import DataError, LeakError
from raysearch.protocols.learned import LEARNED_FROM, Learned
from raysearch.protocols.splits import Split


def split(train=(), validation=(), test=()):
    return Split("session_independent", 2, 6, tuple(train), tuple(validation), tuple(test))


A, B, C = (row(name, f"s{name}", "sad") for name in "abc")


def test_it_survives_its_file(tmp_path):
    learned = Learned.of([A, B, A])
    assert len(learned.rows) == 2
    (tmp_path / LEARNED_FROM).write_text(learned.to_csv())
    assert Learned.read(tmp_path / LEARNED_FROM) == learned
    assert learned.describe() == "2 recordings of 2 speakers of made"
    assert (learned | Learned.of([C])).speakers == {"made/sa", "made/sb", "made/sc"}


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "speaker,utterance,content_hash\n",
        "speaker,utterance\ns,u\n",
        "speaker,utterance,content_hash\ns,u,\n",
        "speaker,utterance,content_hash\ns,u\n",
    ],
)
def test_without_a_whole_record_nothing_is_trusted(tmp_path, text):
    path = tmp_path / LEARNED_FROM
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError, match="no record of what the weights learned from"):
        Learned.read(path)


@pytest.mark.parametrize("side", ["validation", "test"])
def test_a_held_out_recording_is_found_by_its_content(side):
    elsewhere = replace(C, corpus="other", speaker="x", id="z", content_hash=A.content_hash)
    with pytest.raises(LeakError, match=rf"a net learned from 1 {side} recording\(s\) \(as z\)"):
        Learned.of([A]).check(split(train=[B], **{side: [elsewhere]}), "a net")


@pytest.mark.parametrize("side", ["validation", "test"])
def test_a_held_out_speaker_is_found_by_corpus_and_name(side):
    same = replace(C, speaker=A.speaker)
    joined = replace(same, speaker=f"{A.corpus}/{A.speaker}")
    for known in (same, joined):
        with pytest.raises(LeakError, match=rf"1 {side} speaker\(s\) \(as made/sa\) of fold 2"):
            Learned.of([A]).check(split(train=[B], **{side: [known]}), "a net")


def test_training_rows_may_be_known_and_other_corpora_speakers_share_names():
    namesake = replace(C, corpus="other", speaker=A.speaker)
    Learned.of([A]).check(split(train=[A], validation=[B], test=[namesake]), "a net")
