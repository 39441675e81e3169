"""IEMOCAP's label files: which are read, and one clear line for what is wrong in them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, DataError, EmptyCorpusError

LABELS = {"000": "neu", "001": "hap", "002": "exc", "003": "sad", "004": "ang"}
OTHERS = {"005": "fru", "006": "fru", "007": "xxx", "008": "oth"}


def write_turn(root: Path, turn: str, seed: int) -> None:
    folder = root / f"Session{turn[4]}/sentences/wav/{turn.rpartition('_')[0]}"
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, 100)
    soundfile.write(folder / f"{turn}.wav", noise, 16_000)


def line(turn: str, label: str) -> str:
    return f"[6.2901 - 8.2357]\t{turn}\t{label}\t[2.5000, 2.5000, 2.5000]\n"


def label_folder(root: Path, session: int = 1) -> Path:
    folder = root / f"Session{session}/dialog/EmoEvaluation"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    dialogue = "Ses01F_script02_1"
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n", "\n"]
    for seed, (number, label) in enumerate({**LABELS, **OTHERS}.items()):
        turn = f"{dialogue}_{'FM'[seed % 2]}{number}"
        write_turn(tmp_path, turn, seed)
        lines += [line(turn, label), "C-E2:\tNeutral;\t(a comment, caf\xe9)\n", "\n"]
    (label_folder(tmp_path) / f"{dialogue}.txt").write_text("".join(lines), encoding="latin-1")
    return tmp_path


def load(root: Path) -> Corpus:
    return load_corpus(CorpusConfig(name="iemocap", data=str(root)), root)


def test_four_classes_and_the_others_counted_by_label(root: Path) -> None:
    corpus = load(root)
    assert [(row.id[-4:], row.emotion, row.speaker) for row in corpus.utterances] == [
        ("F000", "neutral", "Ses01_F"),
        ("F002", "happy", "Ses01_F"),
        ("F004", "angry", "Ses01_F"),
        ("M001", "happy", "Ses01_M"),
        ("M003", "sad", "Ses01_M"),
    ]
    assert {(row.session, row.text, row.language) for row in corpus.utterances} == {
        ("Ses01", "script02_1", "english")
    }
    assert Counter(row.reason for row in corpus.dropped) == {
        "label 'fru' is none of the four classes": 2,
        "label 'oth' is none of the four classes": 1,
        "label 'xxx' is none of the four classes": 1,
    }


def test_rated_turns_are_of_any_emotion_where_they_are_asked_for(root: Path) -> None:
    corpus = load_corpus(CorpusConfig(name="iemocap", data=str(root), rated=True), root)
    assert Counter(row.emotion for row in corpus.utterances) == {
        "neutral": 1,
        "happy": 2,
        "sad": 1,
        "angry": 1,
        "frustrated": 2,
        "no agreement": 1,
        "another emotion": 1,
    }
    assert all(len(row.ratings) == 3 for row in corpus.utterances)
    assert not corpus.dropped


def test_improvised_turns_alone_where_they_are_asked_for(root: Path) -> None:
    turn = "Ses01M_impro03_F001"
    write_turn(root, turn, 100)
    (label_folder(root) / "Ses01M_impro03.txt").write_text(line(turn, "neu"))
    config = CorpusConfig(name="iemocap", data=str(root), improvised=True)
    corpus = load_corpus(config, root)
    assert [row.id for row in corpus.utterances] == [turn]
    reasons = Counter(row.reason for row in corpus.dropped)
    assert reasons["a scripted turn, and corpus.improvised asks for improvised ones"] == 5
    assert reasons["label 'fru' is none of the four classes"] == 2


def test_no_improvised_turn_is_there(root: Path) -> None:
    config = CorpusConfig(name="iemocap", data=str(root), improvised=True)
    with pytest.raises(EmptyCorpusError, match="5 x a scripted turn") as error:
        load_corpus(config, root)
    assert "leave corpus.improvised out" in str(error.value)


def test_another_corpus_is_not_asked_for_improvised_turns(tmp_path: Path) -> None:
    config = CorpusConfig(name="savee", data=str(tmp_path), improvised=True)
    with pytest.raises(ConfigError, match=r"corpus.improvised is for iemocap: savee has no such"):
        load_corpus(config, tmp_path)


def test_only_the_top_level_of_the_label_folder_is_read(root: Path) -> None:
    before = load(root).utterances
    folder = label_folder(root)
    annotator = folder / "Categorical"
    annotator.mkdir()
    (annotator / "Ses01F_script02_1_e2_cat.txt").write_text(line("Ses01F_script02_1_F000", "ang"))
    (folder / "._Ses01F_script02_1.txt").write_bytes(b"\0\5\26\7[")
    corpus = load(root)
    assert corpus.utterances == before
    # They are files like any other, not labels that were used.
    assert {Path(row.path).name for row in corpus.dropped} >= {
        "Ses01F_script02_1_e2_cat.txt",
        "._Ses01F_script02_1.txt",
    }


def test_a_label_without_audio_is_counted(root: Path) -> None:
    path = label_folder(root) / "Ses01F_impro01.txt"
    path.write_text("\n" + line("Ses01F_impro01_M000", "neu"))
    missing = [row for row in load(root).dropped if "without its WAV" in row.reason]
    assert [(row.path, row.reason) for row in missing] == [
        (f"{path}: line 2", "a label without its WAV file: Ses01F_impro01_M000")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line("Ses01F_impro01_F000", "joy"), r"line 1: unknown label 'joy' of turn Ses01F_impro01"),
        ("\n[1.0 - 2.0] Ses01F_impro01_F000 neu\n", r"line 2: expected \[start - end\], turn"),
        (
            line("Ses01F_script02_1_F000", "sad"),
            r"line 1: turn Ses01F_script02_1_F000 is 'sad' here|is 'neu' here and 'sad'",
        ),
    ],
)
def test_a_wrong_line_is_named(root: Path, text: str, message: str) -> None:
    (label_folder(root) / "Ses01F_impro01.txt").write_text(text)
    with pytest.raises(DataError, match=message) as error:
        load(root)
    assert "Ses01F_impro01.txt: line" in str(error.value)
    assert error.value.exit_code == 3


def test_audio_without_any_label_file(tmp_path: Path) -> None:
    write_turn(tmp_path, "Ses01F_impro01_F000", 0)
    with pytest.raises(EmptyCorpusError, match=r"no label file such as .*EmoEvaluation") as error:
        load(tmp_path)
    assert "looks like" not in str(error.value)
