"""audformat databases: which tables are read, and one clear line for each mistake."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, EmptyCorpusError, MissingPathError

HEADER = """\
name: emodb
languages: [deu]
license: CC0-1.0
schemes:
  emotion:
    dtype: str
    labels: [anger, neutral, sadness]
  speaker:
    dtype: int
    labels:
      3: {gender: male, age: 31, language: deu}
      8: {gender: female, age: 34, language: deu}
  transcription:
    dtype: str
    labels: {a01: Der Lappen liegt auf dem Eisschrank.}
splits:
  test: {type: test}
  train: {type: train}
tables:
  emotion:
    type: filewise
    columns:
      emotion: {scheme_id: emotion, rater_id: gold}
  emotion.categories.test.gold_standard:
    type: filewise
    split_id: test
    columns:
      emotion: {scheme_id: emotion, rater_id: gold}
      emotion.confidence: {scheme_id: confidence, rater_id: gold}
  emotion.categories.train.gold_standard:
    type: filewise
    split_id: train
    columns:
      emotion: {scheme_id: emotion, rater_id: gold}
  files:
    type: filewise
    columns:
      duration: {scheme_id: duration}
      speaker: {scheme_id: speaker}
      transcription: {scheme_id: transcription}
"""
# Ten levels of ten aliases each.
BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 11)
)
FILES = ["wav/03a01Wa.wav", "wav/08a01Na.wav", "wav/08a02Ta.wav"]
EMOTIONS = ["anger", "neutral", "sadness"]
TEST, TRAIN = "emotion.categories.test.gold_standard", "emotion.categories.train.gold_standard"


def table(root: Path, name: str, head: str, *lines: str) -> None:
    (root / f"db.{name}.csv").write_text("\n".join([head, *lines]) + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed, file in enumerate(FILES):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(seed).uniform(-0.1, 0.1, 100)
        soundfile.write(tmp_path / file, noise, 16_000)
    (tmp_path / "db.yaml").write_text(HEADER)
    rows = [f"{file},{emotion}" for file, emotion in zip(FILES, EMOTIONS, strict=True)]
    table(tmp_path, "emotion", "file,emotion", *rows)
    table(tmp_path, TEST, "file,emotion,emotion.confidence", f"{rows[0]},0.9")
    table(tmp_path, TRAIN, "file,emotion", *rows[1:])
    speakers = [f"{file},0 days 00:00:01.5,{int(file[4:6])},{file[6:9]}" for file in FILES]
    table(tmp_path, "files", "file,duration,speaker,transcription", *speakers)
    return tmp_path


def load(path: Path) -> Corpus:
    return load_corpus(CorpusConfig(name="audformat", data=str(path)), path)


def test_a_database(root: Path) -> None:
    corpus = load(root)
    facts = [(one.id, one.speaker, one.emotion, one.sex, one.split) for one in corpus.utterances]
    assert facts == [
        (FILES[0], "3", "anger", "male", "test"),
        (FILES[1], "8", "neutral", "female", "train"),
        (FILES[2], "8", "sadness", "female", "train"),
    ]
    assert [one.text for one in corpus.utterances] == [
        "Der Lappen liegt auf dem Eisschrank.",
        "Der Lappen liegt auf dem Eisschrank.",
        "a02",
    ]
    assert {one.language for one in corpus.utterances} == {"deu"}
    assert load(root / "db.yaml").utterances == corpus.utterances


def test_one_table_has_no_split(root: Path) -> None:
    assert {one.split for one in load(root / "db.emotion.csv").utterances} == {None}
    assert [one.split for one in load(root / f"db.{TEST}.csv").utterances] == ["test"]


def test_a_split_of_some_rows_is_no_split(root: Path) -> None:
    table(root, TRAIN, "file,emotion", f"{FILES[1]},neutral")
    corpus = load(root)
    assert len(corpus.utterances) == 3
    assert {one.split for one in corpus.utterances} == {None}


def test_parquet_equals_csv(root: Path) -> None:
    before = load(root)
    (root / "db.emotion.csv").unlink()
    (root / "db.files.csv").unlink()
    dictionary = pa.array(EMOTIONS).dictionary_encode()
    pq.write_table(pa.table({"file": FILES, "emotion": dictionary}), root / "db.emotion.parquet")
    codes, numbers = [file[6:9] for file in FILES], [int(file[4:6]) for file in FILES]
    columns = {"file": FILES, "duration": [1.5] * 3, "speaker": numbers, "transcription": codes}
    pq.write_table(pa.table(columns), root / "db.files.parquet")
    assert load(root).utterances == before.utterances


def test_rows_without_an_emotion_are_dropped(root: Path) -> None:
    table(root, "emotion", "file,emotion", f"{FILES[0]},", f"{FILES[1]},neutral")
    corpus = load(root / "db.emotion.csv")
    assert [one.id for one in corpus.utterances] == [FILES[1]]
    assert [one.reason for one in corpus.dropped] == ["a row without an emotion"]


def test_a_column_is_found_by_its_scheme(root: Path) -> None:
    header = HEADER.replace(
        "emotion: {scheme_id: emotion, rater_id: gold}", "gold: {scheme_id: emotion}"
    )
    (root / "db.yaml").write_text(header)
    for name in ("emotion", TEST, TRAIN):
        path = root / f"db.{name}.csv"
        path.write_text(path.read_text().replace("file,emotion", "file,gold", 1))
    assert load(root).emotions == ("anger", "neutral", "sadness")


def test_a_pickle_is_not_read(root: Path) -> None:
    (root / "db.emotion.csv").rename(root / "db.emotion.pkl")
    with pytest.raises(ConfigError, match=r"table 'emotion' is not there .*pickles are not read"):
        load(root)


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("emotion", ["file,emotion", f"{FILES[0]},joy"], "line 2: emotion 'joy' is not in the"),
        ("emotion", ["file,emotion", "wav/none.wav,anger"], "line 2: 'wav/none.wav' is not a file"),
        ("emotion", ["file,emotion", "../x.wav,anger"], "line 2: '../x.wav' leaves the folder"),
        ("emotion", ["file,feeling", f"{FILES[0]},anger"], "line 1: column 'emotion' is missing"),
        ("emotion", ["file,emotion", ",anger"], "line 2: column 'file' is empty"),
        (
            "emotion",
            ["file,emotion", f"{FILES[0]},anger", f"{FILES[0]},anger"],
            f"line 3: '{FILES[0]}' is already in",
        ),
        (TRAIN, ["file,emotion", f"{FILES[0]},sadness"], "is 'sadness' here and 'anger' in"),
        (
            "files",
            ["file,speaker,transcription", f"{FILES[0]},3,a01"],
            f"line 3: no table of whole files names the speaker of '{FILES[1]}'",
        ),
    ],
)
def test_mistakes_name_file_and_line(root: Path, name: str, lines: list[str], message: str) -> None:
    table(root, name, *lines)
    with pytest.raises((ConfigError, MissingPathError)) as error:
        load(root)
    assert message in str(error.value)
    assert "db." in str(error.value)
    assert "\n" not in str(error.value)


def test_a_header_as_audformat_itself_writes_it(root: Path) -> None:
    labels = "labels: &id001 [anger, neutral, sadness]"
    header = HEADER.replace("labels: [anger, neutral, sadness]", labels)
    header += "meta:\n  again: *id001\n" + f"  description: {'x' * 600_000}\n"
    (root / "db.yaml").write_text(header)
    assert [row.emotion for row in load(root).utterances] == EMOTIONS


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("name: x\n", "no tables: not the header of an audformat database"),
        ("tables: [a]\n", "db.yaml:1: 'tables' is not a map of sections"),
        ("tables:\n  ../x:\n    type: filewise\n", "is not a table's name"),
        ("tables:\n  x:\n    columns: 3\n", "the columns of 'x' are not a map"),
        ("tables:\n  x:\n    type: filewise\n", "no table with rows has a column 'emotion'"),
        (HEADER.replace("filewise", "segmented"), "emotions of segments only (table 'emotion')"),
        ("name: &a x\nother: *a\n", "no tables"),
        ("name: &a [x, *a]\n", "db.yaml:1: an alias stands for what it is a part of"),
        ("a: " + "[" * 500 + "]" * 500, "db.yaml:1: nested too deeply"),
        (BOMB, "its aliases stand for more than"),
    ],
)
def test_wrong_headers(root: Path, header: str, message: str) -> None:
    (root / "db.yaml").write_text(header)
    with pytest.raises(ConfigError) as error:
        load(root)
    assert message in str(error.value)
    assert "db.yaml" in str(error.value)


def test_wrong_folders(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(EmptyCorpusError, match=r"no db\.yaml; expected an audformat database"):
        load(tmp_path_factory.mktemp("empty"))
    with pytest.raises(ConfigError, match=r"not a table such as db\.emotion\.csv"):
        load(root / FILES[0])
    table(root, "other", "file,emotion")
    with pytest.raises(ConfigError, match="table 'other' has no rows of whole files"):
        load(root / "db.other.csv")
