"""A user's own table: what it may hold, and one clear line for each mistake."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, EmptyCorpusError, MissingPathError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "audio").mkdir()
    for seed, name in enumerate(("a", "b", "c")):
        noise = np.random.default_rng(seed).uniform(-0.1, 0.1, 160)
        soundfile.write(tmp_path / "audio" / f"{name}.wav", noise, 16_000)
    return tmp_path


def load(path: Path) -> Corpus:
    return load_corpus(CorpusConfig(name="manifest", data=str(path)), path.parent)


def load_csv(folder: Path, text: str) -> Corpus:
    path = folder / "m.csv"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_every_column(folder: Path) -> None:
    corpus = load_csv(
        folder,
        "\ufeffspeaker,path,emotion,text,session,sex,language,fold,split,extra\n"
        'x,audio/a.wav,joy,"Hello, you",s1,F,german,0,dev,1\n'
        "\n"
        "y,./audio/b.wav,anger,,,,,1,train,2\n",
    )
    first, second = corpus.utterances
    assert (corpus.name, first.id, second.id) == ("manifest", "audio/a.wav", "audio/b.wav")
    assert first.path == str(folder / "audio/a.wav")
    assert (first.text, first.session, first.sex) == ("Hello, you", "s1", "female")
    assert (first.language, first.fold, first.split) == ("german", "0", "validation")
    assert (second.text, second.sex, second.language, second.split) == (None, None, None, "train")


def test_parquet_equals_csv(folder: Path) -> None:
    rows = load_csv(folder, "path,emotion,speaker,fold\naudio/a.wav,joy,1,0\naudio/b.wav,sad,2,1\n")
    table = pa.table(
        {
            "path": ["audio/a.wav", "audio/b.wav"],
            "emotion": pa.array(["joy", "sad"]).dictionary_encode(),
            "speaker": [1, 2],
            "fold": [0, 1],
            "text": pa.nulls(2),
            "score": [0.5, 0.25],
        }
    )
    pq.write_table(table, folder / "m.parquet")
    assert load(folder / "m.parquet").utterances == rows.utterances


def test_absolute_paths_may_lie_elsewhere(folder: Path, tmp_path_factory: object) -> None:
    audio = folder / "audio/a.wav"
    inner = folder / "tables"
    inner.mkdir()
    (row,) = load_csv(inner, f"path,emotion,speaker\n{audio},joy,x\n").utterances
    assert row.path == row.id == str(audio)


def test_copies_across_splits_are_left_to_the_audit(folder: Path) -> None:
    (folder / "audio/b.wav").write_bytes((folder / "audio/a.wav").read_bytes())
    head = "path,emotion,speaker,split\naudio/a.wav,joy,x,train\n"
    assert len(load_csv(folder, f"{head}audio/b.wav,joy,x,test\n").utterances) == 2
    corpus = load_csv(folder, f"{head}audio/b.wav,joy,x,train\n")
    assert [row.id for row in corpus.utterances] == ["audio/a.wav"]
    assert len(corpus.dropped) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,emotions,speaker\n", r"line 1: column 'emotion' is missing .*'emotions'"),
        ("", r"line 1: column 'path' is missing"),
        ("path,path,emotion,speaker\n", r"column 'path' is there 2 times"),
        ("path,emotion,speaker\naudio/a.wav,,x\n", r"line 2: column 'emotion' is empty"),
        ("path,emotion,speaker\naudio/a.wav,joy,  \n", r"line 2: column 'speaker' is empty"),
        ("path,emotion,speaker\naudio/a.wav,joy\n", r"line 2: 2 cells under 3 columns"),
        ("path,emotion,speaker\na.wav,joy,x,1\n", r"line 2: 4 cells under 3 columns"),
        ("path,emotion,speaker\n../../etc/passwd,joy,x\n", r"line 2: .* leaves the folder"),
        ("path,emotion,speaker\na\0b.wav,joy,x\n", r"line 2|not a CSV file"),
        ('path,emotion,speaker\naudio/a.wav,"joy,x\n', r"not a CSV file"),
        (
            "path,emotion,speaker\naudio/a.wav,joy,x\naudio/../audio/a.wav,sad,x\n",
            r"line 3: .* is already in .*line 2",
        ),
        (
            "path,emotion,speaker,split\naudio/a.wav,joy,x,train\naudio/b.wav,joy,x,eval\n",
            r"line 3: split 'eval' is not one of dev, test, train",
        ),
        (
            "path,emotion,speaker,fold\naudio/a.wav,joy,x,1\naudio/b.wav,joy,x,\n",
            r"line 3: column 'fold' is empty",
        ),
        ("path,emotion,speaker,sex\naudio/a.wav,joy,x,?\n", r"line 2: sex '\?' is not one of"),
    ],
)
def test_mistakes_name_file_and_line(folder: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        load_csv(folder, text)
    assert "m.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_audio_names_the_line(folder: Path) -> None:
    text = "path,emotion,speaker\naudio/a.wav,joy,x\naudio/z.wav,joy,x\n"
    with pytest.raises(MissingPathError, match=r"m\.csv: line 3: 'audio/z\.wav' is not a file"):
        load_csv(folder, text)


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    inner = folder / "tables"
    inner.mkdir()
    (inner / "a.wav").symlink_to(folder / "audio/a.wav")
    with pytest.raises(ConfigError, match="leaves the folder of its table"):
        load_csv(inner, "path,emotion,speaker\na.wav,joy,x\n")


def test_parquet_mistakes(folder: Path) -> None:
    path = folder / "m.parquet"
    path.write_bytes(b"not parquet at all")
    with pytest.raises(ConfigError, match="not a Parquet file"):
        load(path)
    pq.write_table(pa.table({"path": ["a"], "emotion": [[1]], "speaker": ["x"]}), path)
    with pytest.raises(ConfigError, match=r"'emotion' is list.*expected text"):
        load(path)
    rows = {"path": ["audio/a.wav", "audio/b.wav"], "emotion": ["joy", None], "speaker": [1, 2]}
    pq.write_table(pa.table(rows), path)
    with pytest.raises(ConfigError, match="row 2: column 'emotion' is empty"):
        load(path)


def test_the_file_itself(folder: Path) -> None:
    with pytest.raises(ConfigError, match="needs --data FILE"):
        load_corpus(CorpusConfig(name="manifest"), folder)
    with pytest.raises(MissingPathError, match="no such file"):
        load(folder / "none.csv")
    with pytest.raises(ConfigError, match=r"one \.csv, \.tsv or \.parquet file"):
        load(folder / "audio")
    with pytest.raises(EmptyCorpusError, match="no rows"):
        load_csv(folder, "path,emotion,speaker\n")
    (folder / "m.csv").write_bytes(b"path,emotion,speaker\n\xff\xfe,joy,x\n")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(folder / "m.csv")
