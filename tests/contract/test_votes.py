"""What every corpus owes that knows several people's votes for a recording, and each mistake."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_trees import write_audio, write_named

from raysearch.corpora.corpus_table import CORPORA, CorpusConfig, corpus_parser, load_corpus
from raysearch.corpora.utterance import Corpus
from raysearch.corpora.votes import distribution, leading
from raysearch.errors import ConfigError, DataError

FILES = ("a.wav", "b.wav", "c.wav", "d.wav")
COLUMNS = """path,speaker,text,joy,anger,sad
a.wav,x,hello,3,1,0
b.wav,x,hello,0.25,0.5,0.25
c.wav,y,hello,2,2,
d.wav,y,hello,,,
"""
ANNOTATORS = """path,speaker,annotator,emotion,city
a.wav,x,r1,joy,Bonn
b.wav,x,r1,anger,Bonn
a.wav,x,r2,joy,Bonn
a.wav,x,r3,anger,Bonn
./b.wav,x,r2,,Bonn
c.wav,y,r1,joy,Kiel
c.wav,y,r3,sad,Kiel
d.wav,y,r1,,Kiel
"""
# As the corpus publishes it: voice, face and both, of which the first digit tells.
TABULATED = """"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"
"100001",6,0,0,1,3,0,"1001_DFA_ANG_XX",10,0.6,"A"
"100002",0,0,0,5,5,0,"1091_IEO_HAP_LO",10,0.5,"H:N"
"200001",0,0,0,9,1,0,"1001_DFA_ANG_XX",10,0.9,"H"
"300001",0,0,9,1,0,0,"1040_ITH_SAD_X",10,0.9,"F"
"""
TIE, NONE = "a tie of votes: ", "no votes and no emotion"
VOTE_COLUMNS = ("joy", "anger", "sad")


def by_columns(root: Path) -> CorpusConfig:
    return table(root, COLUMNS, vote_columns=VOTE_COLUMNS)


def by_annotators(root: Path) -> CorpusConfig:
    return table(root, ANNOTATORS)


def by_listeners(root: Path) -> CorpusConfig:
    tree = write_named("crema_d", root / "crema")
    (tree / "processedResults").mkdir()
    (tree / "processedResults/tabulatedVotes.csv").write_text(TABULATED)
    return CorpusConfig(name="crema_d", data=str(tree), perceived=True)


def table(root: Path, text: str, **options: object) -> CorpusConfig:
    for seed, name in enumerate(FILES):
        write_audio(root / name, seed)
    (root / "m.csv").write_text(text)
    return CorpusConfig(name="manifest", data=str(root / "m.csv"), **options)  # type: ignore[arg-type]


KINDS = {"columns": by_columns, "annotators": by_annotators, "listeners": by_listeners}
# Votes of each utterance by id, and why the others are dropped.
FOUND = {
    "columns": (
        {
            "a.wav": ("joy", (("anger", 1.0), ("joy", 3.0))),
            "b.wav": ("anger", (("anger", 0.5), ("joy", 0.25), ("sad", 0.25))),
        },
        [f"{TIE}anger, joy", NONE],
    ),
    "annotators": (
        {
            "a.wav": ("joy", (("anger", 1.0), ("joy", 2.0))),
            "b.wav": ("anger", (("anger", 1.0),)),
        },
        [f"{TIE}joy, sad", NONE],
    ),
    "listeners": (
        {"1001_DFA_ANG_XX": ("anger", (("anger", 6.0), ("happy", 1.0), ("neutral", 3.0)))},
        [f"{TIE}happy, neutral", NONE],
    ),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_label_is_the_majority_and_ties_and_silence_are_told(kind: str, tmp_path: Path) -> None:
    corpus = load_corpus(KINDS[kind](tmp_path), tmp_path)
    votes, reasons = FOUND[kind]
    assert {row.id: (row.emotion, row.votes) for row in corpus.utterances} == votes
    told = [one.reason for one in corpus.dropped if "votes" in one.reason]
    assert sorted(told) == sorted(reasons)


def test_votes_are_sorted_positive_and_lead_to_the_label(kind: str, tmp_path: Path) -> None:
    for row in load_corpus(KINDS[kind](tmp_path), tmp_path).utterances:
        assert list(row.votes) == sorted(row.votes)
        assert all(number > 0 for _, number in row.votes)
        assert leading(row.votes) == [row.emotion]
        labels = sorted({"anger", "happy", "joy", "neutral", "sad"})
        assert sum(distribution(row.votes, row.emotion, labels)) == pytest.approx(1)


def test_without_being_asked_nobody_sees_votes(tmp_path: Path) -> None:
    plain = load_corpus(by_listeners(tmp_path).model_copy(update={"perceived": False}), tmp_path)
    assert [(row.emotion, row.votes) for row in plain.utterances] == [
        ("anger", ()),
        ("sad", ()),
        ("happy", ()),
    ]
    head = "path,speaker,emotion,joy,anger,sad\na.wav,x,joy,0,9,0\n"
    (row,) = load_corpus(table(tmp_path, head), tmp_path).utterances
    assert (row.emotion, row.votes) == ("joy", ())


def test_a_label_beside_the_votes_counts_and_an_empty_one_is_found_by_them(tmp_path: Path) -> None:
    rows = "path,speaker,emotion,joy,anger,sad\na.wav,x,sad,9,0,0\nb.wav,x,,9,0,0\nc.wav,x,sad,,,\n"
    corpus = load_corpus(table(tmp_path, rows, vote_columns=VOTE_COLUMNS), tmp_path)
    assert [(row.emotion, bool(row.votes)) for row in corpus.utterances] == [
        ("sad", True),
        ("joy", True),
        ("sad", False),
    ]


def test_classes_are_united_after_the_vote(tmp_path: Path) -> None:
    rows = "path,speaker,joy,fun,anger,bored\na.wav,x,3,2,4,1\n"
    config = table(tmp_path, rows, vote_columns=("joy", "fun", "anger", "bored"))
    (tmp_path / "map.yaml").write_text("joy: happy\nfun: happy\nanger: angry\nbored: null\n")
    mapped = config.model_copy(update={"label_map": str(tmp_path / "map.yaml")})
    (row,) = load_corpus(mapped, tmp_path).utterances
    assert (row.emotion, row.votes) == ("angry", (("angry", 4.0), ("happy", 5.0)))
    (tmp_path / "map.yaml").write_text("joy: happy\nanger: angry\nbored: null\n")
    with pytest.raises(DataError, match="does not know the label 'fun'"):
        load_corpus(mapped, tmp_path)


def test_labels_that_are_shuffled_take_their_votes_along(kind: str, tmp_path: Path) -> None:
    config = KINDS[kind](tmp_path)
    shuffled = load_corpus(config.model_copy(update={"shuffle_labels": True}), tmp_path)
    assert pairs(shuffled) == pairs(load_corpus(config, tmp_path))


def pairs(corpus: Corpus) -> list[tuple[str, object]]:
    return sorted((row.emotion, row.votes) for row in corpus.utterances)


def test_votes_for_classes_that_are_left_out_do_not_count() -> None:
    votes = (("anger", 2.0), ("joy", 1.0), ("sad", 1.0))
    assert distribution(votes, "anger", ["anger", "joy"]) == (2 / 3, 1 / 3)
    assert distribution(votes, "bored", ["bored", "calm"]) == (1.0, 0.0)
    assert distribution((), "joy", ["anger", "joy"]) == (0.0, 1.0)


def test_probabilities_in_parquet_may_have_fractions(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", 0)
    rows = {"path": ["a.wav"], "speaker": ["x"], "joy": [0.25], "anger": pa.array([0.75])}
    pq.write_table(pa.table(rows), tmp_path / "m.parquet")
    names = {"name": "manifest", "data": str(tmp_path / "m.parquet")}
    config = CorpusConfig(**names, vote_columns=("joy", "anger"))  # type: ignore[arg-type]
    (row,) = load_corpus(config, tmp_path).utterances
    assert (row.emotion, row.votes) == ("anger", (("anger", 0.75), ("joy", 0.25)))
    pq.write_table(pa.table({**rows, "joy": [[1]]}), tmp_path / "m.parquet")
    with pytest.raises(ConfigError, match=r"'joy' is list.*, expected numbers"):
        load_corpus(config, tmp_path)


HEAD = "path,speaker,joy,anger,sad\n"
RATED = "path,speaker,annotator,emotion\n"


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        (f"{HEAD}a.wav,x,1,-2,0\n", VOTE_COLUMNS, r"line 2: column 'anger' is '-2': votes are num"),
        (f"{HEAD}a.wav,x,1,two,0\n", VOTE_COLUMNS, r"line 2: column 'anger' is 'two'"),
        (f"{HEAD}a.wav,x,1,2,nan\n", VOTE_COLUMNS, r"line 2: column 'sad' is 'nan'"),
        (f"{HEAD}a.wav,x,1,2,inf\n", VOTE_COLUMNS, r"line 2: column 'sad' is 'inf'"),
        (f"{HEAD}a.wav,x,0,0,\n", VOTE_COLUMNS, r"line 2: columns 'joy', 'anger', 'sad': all are"),
        (f"{HEAD}a.wav,x,1,2,3\n", ("joy", "angst"), r"line 1: column 'angst' is missing"),
        (f"{HEAD}a.wav,x,1,2,3\n", ("joy", "speaker"), r"'speaker' is named twice, or is no"),
        (f"{HEAD}a.wav,x,1,2,3\n", ("joy", "joy"), r"'joy' is named twice"),
        (f"{HEAD}a.wav,x,1,2,3\n", None, r"line 1: column 'emotion' is missing"),
        (f"{RATED}a.wav,x,r1,joy\na.wav,x,r1,sad\n", None, r"line 3: annotator 'r1' has judged"),
        (f"{RATED}a.wav,x,r1,joy\na.wav,y,r2,joy\n", None, r"line 3: speaker of 'a.wav' is 'y'"),
        (f"{RATED}a.wav,x,r1,joy\na.wav,x,,joy\n", None, r"line 3: column 'annotator' is empty"),
        ("path,speaker,annotator,joy,sad\n", ("joy", "sad"), r"a column 'annotator' and corpus\.v"),
    ],
)
def test_each_mistake_is_one_line_that_names_its_place(
    text: str, columns: tuple[str, ...] | None, message: str, tmp_path: Path
) -> None:
    config = table(tmp_path, text, vote_columns=columns)
    with pytest.raises(ConfigError, match=message) as error:
        load_corpus(config, tmp_path)
    assert "\n" not in str(error.value)
    assert "m.csv" in str(error.value) or "corpus.vote_columns" in str(error.value)


def test_listeners_votes_lie_in_the_corpus_or_beside_its_audio(tmp_path: Path) -> None:
    config = by_listeners(tmp_path)
    whole = load_corpus(config, tmp_path)
    audio = config.model_copy(update={"data": str(Path(config.data or "") / "AudioWAV")})
    assert [replace(row, path="") for row in load_corpus(audio, tmp_path).utterances] == [
        replace(row, path="") for row in whole.utterances
    ]
    votes = Path(config.data or "") / "processedResults/tabulatedVotes.csv"
    votes.write_text(TABULATED.replace('"100001",6', '"100001",six'))
    with pytest.raises(ConfigError, match=r"tabulatedVotes\.csv: line 2: column 'A' is 'six'"):
        load_corpus(config, tmp_path)
    votes.unlink()
    with pytest.raises(ConfigError, match=r"corpus\.perceived: .*has no processedResults/tabul"):
        load_corpus(config, tmp_path)


def test_who_knows_no_votes_refuses_to_be_asked_for_them(tmp_path: Path) -> None:
    for field, value, knows in (
        ("vote_columns", ("joy", "sad"), "manifest"),
        ("perceived", True, "crema_d"),
    ):
        assert [n for n in CORPORA.built_in if field in corpus_parser(n).heeds] == [knows]
        with pytest.raises(ConfigError, match=f"corpus.{field} is for {knows}: demo has no such"):
            load_corpus(CorpusConfig(name="demo", **{field: value}), tmp_path)  # type: ignore[arg-type]
