"""MSP-Podcast's table of labels: what is kept, dropped and refused, and its own division."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.labels import committed_label_map
from raysearch.corpora.msp_podcast import _EMOTIONS
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, EmptyCorpusError
from raysearch.protocols.folds import own_sides
from raysearch.protocols.protocol_section import ProtocolConfig

HEADER = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"
ROWS = [
    ("0001_0008", "N", "30", "Male", "Train"),
    ("0001_0009", "A", "39", "Female", "Train"),
    ("0002_0001", "C", "30", "Male", "Development"),
    ("0003_0001", "H", "7", "Unknown", "Test1"),
    ("0003_0002", "U", "8", "Female", "Test2"),
    ("0003_0003", "X", "8", "Female", "Train"),
    ("0003_0004", "O", "8", "Female", "Train"),
    ("0003_0005", "S", "Unknown", "Unknown", "Train"),
    ("0003_0006", "", "9", "Male", "Test3"),
]


def table(rows: list[tuple[str, ...]], header: str = HEADER) -> str:
    lines = [
        f"MSP-PODCAST_{name}.wav,{letter},2.2,4.0,2.6,{speaker},{sex},{split}"
        for name, letter, speaker, sex, split in rows
    ]
    return "\n".join([header, *lines]) + "\n"


def write(root: Path, text: str, names: list[str]) -> Path:
    for folder in ("Labels", "Audios"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "Labels/labels_consensus.csv").write_text(text)
    for seed, name in enumerate(names):
        noise = np.random.default_rng(seed).uniform(-0.1, 0.1, 100)
        soundfile.write(root / f"Audios/MSP-PODCAST_{name}.wav", noise, 16_000)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(tmp_path, table(ROWS), [name for name, *_ in ROWS])


def load(root: Path, own_split: str | None = None) -> Corpus:
    return load_corpus(CorpusConfig(name="msp_podcast", data=str(root), own_split=own_split), root)


def test_the_rows_that_say_who_speaks_and_how(root: Path) -> None:
    corpus = load(root)
    assert [(r.id[12:], r.emotion, r.speaker, r.sex, r.session) for r in corpus.utterances] == [
        ("0001_0008", "neutral", "30", "male", "0001"),
        ("0001_0009", "anger", "39", "female", "0001"),
        ("0002_0001", "contempt", "30", "male", "0002"),
        ("0003_0001", "happiness", "7", None, "0003"),
        ("0003_0002", "surprise", "8", "female", "0003"),
    ]
    assert Counter(row.reason for row in corpus.dropped) == {
        "label 'X', no agreement": 1,
        "label 'O', another emotion": 1,
        "a segment of an unknown speaker": 1,
        "no label in its row": 1,
    }
    assert {row.split for row in corpus.utterances} == {None}
    ratings = (("arousal", 2.2), ("valence", 4.0), ("dominance", 2.6))
    assert {row.ratings for row in corpus.utterances} == {ratings}


def test_rated_segments_are_of_any_emotion_where_they_are_asked_for(root: Path) -> None:
    corpus = load_corpus(CorpusConfig(name="msp_podcast", data=str(root), rated=True), root)
    found = {row.id[12:]: row.emotion for row in corpus.utterances}
    assert len(found) == 7
    assert found["0003_0003"] == "no agreement"
    assert found["0003_0004"] == "another emotion"


def test_its_own_division_where_it_is_asked_for(root: Path) -> None:
    corpus = load(root, "test1")
    sides = own_sides(corpus, ProtocolConfig())
    assert sides is not None
    assert {name[12:]: side for name, side in sides.items()} == {
        "0001_0008": "train",
        "0001_0009": "train",
        "0002_0001": "validation",
        "0003_0001": "test",
    }
    reasons = [row.reason for row in corpus.dropped]
    assert "of Test2, which corpus.own_split leaves out" in reasons


@pytest.mark.parametrize("asked", ["Test5", "Train"])
def test_no_such_test_set(root: Path, asked: str) -> None:
    with pytest.raises(ConfigError, match=f"'{asked}' is not one of Test1, Test2, Test3; leave"):
        load(root, asked)


def test_every_emotion_has_a_place_in_the_common_label_map() -> None:
    assert set(_EMOTIONS.values()) <= set(committed_label_map().classes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (table([("0001_0008", "Q", "1", "Male", "Train")]), r"csv: line 2: EmoClass 'Q' is not"),
        (table([ROWS[0], ROWS[0]]), r"line 3: 'MSP-PODCAST_0001_0008.wav' is already in .*line 2"),
        (table(ROWS, HEADER.replace("SpkrID", "Speaker")), "line 1: column 'SpkrID' is missing"),
    ],
)
def test_a_wrong_table_is_told_by_row(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(write(tmp_path, text, ["0001_0008"]))


def test_two_releases_in_one_folder(root: Path) -> None:
    write(root / "older", table(ROWS), [])
    with pytest.raises(ConfigError, match=r"two tables of labels, .*labels_consensus\.csv and "):
        load(root)


def test_a_table_without_its_audio_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmptyCorpusError, match="9 x a row without its WAV file") as error:
        load(write(tmp_path, table(ROWS), []))
    assert "unpack the audio below the folder" in str(error.value)


def test_audio_of_unknown_speakers_alone(tmp_path: Path) -> None:
    rows = [("0001_0008", "N", "Unknown", "Male", "Train")]
    with pytest.raises(EmptyCorpusError, match="1 x a segment of an unknown speaker") as error:
        load(write(tmp_path, table(rows), ["0001_0008"]))
    assert "SpkrID" in str(error.value)
