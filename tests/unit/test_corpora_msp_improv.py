"""MSP-IMPROV's label file: which lines are labels, and what is said of wrong ones."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.utterance import Corpus
from raysearch.errors import DataError, EmptyCorpusError
from raysearch.protocols.folds import outer_folds
from raysearch.protocols.protocol_section import ProtocolConfig

LINE = "UTD-IMPROV-{turn}.avi; {letter}; A:2.800000; V:3.200000; D:NaN ; N:3.000000;\n"


def write_turn(root: Path, turn: str, seed: int) -> None:
    folder = root / f"session{int(turn[6:8])}" / turn[:4] / turn[9]
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, 100)
    soundfile.write(folder / f"MSP-IMPROV-{turn}.wav", noise, 16_000)


def write(root: Path, labels: dict[str, str], file: str = "Evalution.txt") -> Path:
    lines = []
    for seed, (turn, letter) in enumerate(labels.items()):
        write_turn(root, turn, seed)
        rater = "WORKER1; Other; Surprised,Excited; A:3.0; V:3.0; D:3.0; N:4.0;\n\n"
        lines += [LINE.format(turn=turn, letter=letter), rater]
    (root / file).write_text("".join(lines))
    return root


def load(root: Path) -> Corpus:
    return load_corpus(CorpusConfig(name="msp_improv", data=str(root)), root)


@pytest.mark.parametrize("file", ["Evalution.txt", "Evaluation.txt"])
def test_the_consensus_counts_not_what_was_asked_for(tmp_path: Path, file: str) -> None:
    corpus = load(write(tmp_path, {"S01A-F01-S-FM01": "S", "S01A-M01-T-MF02": "O"}, file))
    (row,) = corpus.utterances
    assert (row.emotion, row.speaker, row.session) == ("sadness", "F01", "session1")
    (dropped,) = corpus.dropped
    assert dropped.reason == "label 'O' is none of the four classes"


def test_rated_turns_are_of_any_emotion_where_they_are_asked_for(tmp_path: Path) -> None:
    write(tmp_path, {"S01A-F01-S-FM01": "S", "S01A-M01-T-MF02": "O", "S01A-M01-R-MM01": "X"})
    corpus = load_corpus(CorpusConfig(name="msp_improv", data=str(tmp_path), rated=True), tmp_path)
    emotions = {row.emotion for row in corpus.utterances}
    assert emotions == {"sadness", "another emotion", "no agreement"}
    assert {row.ratings for row in corpus.utterances} == {(("arousal", 2.8), ("valence", 3.2))}


def test_a_fold_is_a_session(tmp_path: Path) -> None:
    turns = {
        f"S01{letter}-{sex}{session:02}-R-{sex}{sex}01": letter
        for letter in "AN"
        for sex in "FM"
        for session in range(1, 7)
    }
    corpus = load(write(tmp_path, turns))
    folds = outer_folds(corpus, ProtocolConfig())
    session_of = {row.id: row.session for row in corpus.utterances}
    found = [{session_of[name] for name in fold} for fold in folds]
    assert found == [{f"session{k}"} for k in range(1, 7)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LINE.format(turn="S02A-F01-S-FM01", letter="Q"), "unknown label 'Q' of turn MSP-IMPROV"),
        ("UTD-IMPROV-S02A-F01-S-FM01.avi\tA\n", "expected a turn's video, its label"),
        (LINE.format(turn="S01A-F01-S-FM01", letter="A"), "is 'A' here and 'S' in .*: line 1"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, {"S01A-F01-S-FM01": "S"})
    with open(tmp_path / "Evalution.txt", "a") as file:
        file.write(text)
    with pytest.raises(DataError, match=message) as error:
        load(tmp_path)
    assert "Evalution.txt: line 4: " in str(error.value)


def test_audio_without_any_label_file(tmp_path: Path) -> None:
    write_turn(tmp_path, "S01A-F01-S-FM01", 0)
    with pytest.raises(EmptyCorpusError, match=r"no Evalution.txt; expected MSP-IMPROV's"):
        load(tmp_path)


def test_labels_of_audio_that_is_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "Evalution.txt").write_text(LINE.format(turn="S01A-F01-S-FM01", letter="A"))
    with pytest.raises(EmptyCorpusError, match="1 x a label without its WAV file") as error:
        load(tmp_path)
    assert "unpack the audio below the folder" in str(error.value)
