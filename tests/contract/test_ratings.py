"""What every corpus owes that knows a recording's arousal, valence and dominance."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_trees import write_audio, write_named

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.dimensions import known_ratings
from raysearch.corpora.labels import shuffled
from raysearch.corpora.utterance import Ratings
from raysearch.errors import ConfigError
from raysearch.spec import SearchSpec

HEAD = "path,speaker,emotion,arousal,valence\n"


def ratings_of(config: CorpusConfig, storage: Path) -> dict[str, Ratings]:
    return {row.id: row.ratings for row in load_corpus(config, storage).utterances}


def table(root: Path, text: str) -> CorpusConfig:
    for seed, name in enumerate(("a.wav", "b.wav")):
        write_audio(root / name, seed)
    (root / "m.csv").write_text(text)
    return CorpusConfig(name="manifest", data=str(root / "m.csv"))


def test_a_table_has_some_dimensions_or_all_and_a_row_all_of_them_or_none(tmp_path: Path) -> None:
    config = table(tmp_path, f"{HEAD}a.wav,x,joy,4.5,-1\nb.wav,x,joy,,\n")
    found = ratings_of(config, tmp_path)
    assert found == {"a.wav": (("arousal", 4.5), ("valence", -1.0)), "b.wav": ()}


def test_annotators_ratings_are_averaged(tmp_path: Path) -> None:
    head = "path,speaker,emotion,annotator,dominance\n"
    rows = "a.wav,x,joy,r1,1\na.wav,x,anger,r2,2\na.wav,x,joy,r3,\nb.wav,x,joy,r1,\n"
    found = ratings_of(table(tmp_path, head + rows), tmp_path)
    assert found == {"a.wav": (("dominance", 1.5),), "b.wav": ()}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.wav,x,joy,high,1", r"m\.csv: line 2: column 'arousal' is 'high': a number is expected"),
        ("a.wav,x,joy,1,NaN", r"m\.csv: line 2: column 'valence' is 'NaN': a number is expected"),
        ("a.wav,x,joy,inf,1", r"m\.csv: line 2: column 'arousal' is 'inf': a number is expected"),
        ("a.wav,x,joy,,1", r"m\.csv: line 2: column 'arousal' is empty beside 'valence': fill in"),
    ],
)
def test_what_is_no_rating_is_told_by_line_and_column(
    tmp_path: Path, row: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ratings_of(table(tmp_path, f"{HEAD}{row}\n"), tmp_path)


def test_parquet_columns_of_fractions_are_read(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", 0)
    cells = {"path": ["a.wav"], "speaker": ["x"], "emotion": ["joy"], "valence": [0.25]}
    pq.write_table(pa.table(cells), tmp_path / "m.parquet")
    config = CorpusConfig(name="manifest", data=str(tmp_path / "m.parquet"))
    assert ratings_of(config, tmp_path) == {"a.wav": (("valence", 0.25),)}


@pytest.mark.parametrize(
    ("name", "utterance", "ratings"),
    [
        (
            "iemocap",
            "Ses01F_impro04_F000",
            (("arousal", 2.5), ("valence", 2.5), ("dominance", 3.0)),
        ),
        (
            "msp_improv",
            "MSP-IMPROV-S01A-F01-P-FM01",
            (("arousal", 2.8), ("valence", 3.2), ("dominance", 2.6)),
        ),
    ],
)
def test_published_label_files_bring_theirs(
    tmp_path: Path, name: str, utterance: str, ratings: Ratings
) -> None:
    config = CorpusConfig(name=name, data=str(write_named(name, tmp_path)))
    assert ratings_of(config, tmp_path)[utterance] == ratings


def test_a_table_of_ratings_alone_is_read_where_that_is_asked_for(tmp_path: Path) -> None:
    config = table(tmp_path, "path,speaker,arousal\na.wav,x,4.5\nb.wav,x,\n")
    with pytest.raises(ConfigError, match=r"m\.csv: no column 'emotion'; to predict arousal inst"):
        load_corpus(config, tmp_path)
    corpus = load_corpus(config.model_copy(update={"rated": True}), tmp_path)
    assert [(row.emotion, row.ratings) for row in corpus.utterances] == [
        ("unlabelled", (("arousal", 4.5),)),
        ("unlabelled", ()),
    ]


def test_emotions_that_a_rated_table_has_stay_and_may_be_lacking(tmp_path: Path) -> None:
    config = table(tmp_path, f"{HEAD}a.wav,x,joy,4.5,-1\nb.wav,x,,2,1\n")
    corpus = load_corpus(config.model_copy(update={"rated": True}), tmp_path)
    assert [row.emotion for row in corpus.utterances] == ["joy", "unlabelled"]


def test_a_table_without_ratings_is_no_rated_one(tmp_path: Path) -> None:
    config = table(tmp_path, "path,speaker,emotion\na.wav,x,joy\n")
    with pytest.raises(ConfigError, match=r"m\.csv: corpus\.rated asks for ratings: there is no"):
        load_corpus(config.model_copy(update={"rated": True}), tmp_path)


def test_rated_corpora_are_joined_whatever_the_label_map_knows(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    own = table(tmp_path / "own", "path,speaker,arousal\na.wav,x,4.5\nb.wav,y,2\n")
    there = write_named("iemocap", tmp_path / "iemocap")
    config = CorpusConfig(name="manifest,iemocap", data=f"{own.data},{there}", rated=True)
    emotions = load_corpus(config, tmp_path).emotions
    assert {"unlabelled", "neutral"} <= {*emotions}


def test_rated_recordings_are_for_the_task_that_needs_no_emotion() -> None:
    with pytest.raises(ConfigError, match=r"corpus\.rated keeps recordings without an emotion"):
        SearchSpec.load("cnn", ["corpus.rated=true"])


def test_a_publishers_gap_is_no_mistake() -> None:
    assert known_ratings({"arousal": "3", "dominance": "NaN"}) == (("arousal", 3.0),)


def test_shuffled_labels_take_their_ratings_along(tmp_path: Path) -> None:
    corpus = load_corpus(table(tmp_path, f"{HEAD}a.wav,x,joy,5,1\nb.wav,x,sad,1,5\n"), tmp_path)
    pairs = {(row.emotion, row.ratings) for row in corpus.utterances}
    assert {(row.emotion, row.ratings) for row in shuffled(corpus).utterances} == pairs
