"""Label maps, and several corpora as one."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from raysearch.cli.options import overrides
from raysearch.config.base import build
from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.labels import committed_label_map, read_label_map
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, DataError, MissingPathError


def write(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(sum(map(ord, str(path)))).uniform(-0.1, 0.1, 100)
        soundfile.write(path, noise, 16_000)
    return root


@pytest.fixture
def ravdess(tmp_path: Path) -> Path:
    names = [f"Actor_01/03-01-{code:02}-01-01-01-01.wav" for code in range(1, 9)]
    return write(tmp_path / "ravdess", *names)


@pytest.fixture
def emodb(tmp_path: Path) -> Path:
    return write(tmp_path / "emodb", *(f"wav/03a01{code}a.wav" for code in "WLEAFTN"))


def load(name: str, data: str, **fields: object) -> Corpus:
    return load_corpus(CorpusConfig(name=name, data=data, **fields), Path(data.split(",")[0]))


def test_two_corpora_as_one(ravdess: Path, emodb: Path) -> None:
    corpus = load("ravdess,emodb", f"{ravdess},{emodb}")
    assert corpus.name == "ravdess+emodb"
    assert corpus.root == f"{ravdess}, {emodb}"
    assert corpus.emotions == ("angry", "disgust", "fear", "happy", "neutral", "sad")
    assert corpus.speakers == ("emodb/03", "ravdess/01")
    ids = [row.id for row in corpus.utterances]
    assert ids == sorted(set(ids))
    assert {row.corpus: row.id.split("/")[0] for row in corpus.utterances} == {
        "ravdess": "ravdess",
        "emodb": "emodb",
    }
    assert {
        row.id.split("/")[1]: row.emotion for row in corpus.utterances if row.corpus == "emodb"
    } == {
        "03a01Wa": "angry",
        "03a01Ea": "disgust",
        "03a01Aa": "fear",
        "03a01Fa": "happy",
        "03a01Ta": "sad",
        "03a01Na": "neutral",
    }
    assert Counter(row.reason for row in corpus.dropped) == {
        "label 'boredom' is dropped by the label map": 1,
        "label 'calm' is dropped by the label map": 1,
        "class 'surprise' is not in every corpus": 1,
    }


def test_the_order_of_the_corpora_changes_the_name_only(ravdess: Path, emodb: Path) -> None:
    one = load("ravdess,emodb", f"{ravdess},{emodb}")
    other = load("emodb,ravdess", f"{emodb},{ravdess}")
    assert other.name == "emodb+ravdess"
    assert other.utterances == one.utterances


def test_calm_by_option(ravdess: Path) -> None:
    counts = Counter(
        row.emotion
        for row in load("ravdess", str(ravdess), label_map="common", calm="neutral").utterances
    )
    assert counts["neutral"] == 2
    assert "calm" not in load("ravdess", str(ravdess), label_map="common").emotions
    assert "calm" in load("ravdess", str(ravdess)).emotions
    with pytest.raises(ConfigError, match=r"'corpus.calm' is 'neutral': read with the committed"):
        build(CorpusConfig, {"name": "ravdess", "calm": "neutral"}, prefix="corpus")


def test_only_some_emotions(emodb: Path) -> None:
    corpus = load("emodb", str(emodb), emotions=("anger", "fear"))
    assert corpus.emotions == ("anger", "fear")
    assert len([row for row in corpus.dropped if "not among corpus.emotions" in row.reason]) == 5
    with pytest.raises(ConfigError, match=r"emodb has no 'angry' \(did you mean 'anger'\?\)"):
        load("emodb", str(emodb), emotions=("angry", "fear"))
    assert load("emodb", str(emodb), label_map="common", emotions=("angry", "sad")).emotions == (
        "angry",
        "sad",
    )


def test_a_map_of_ones_own(emodb: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(
        "Anger: active\nhappiness: active\nfear: active\nsadness: passive\nboredom: passive\n"
        "disgust: null\nneutral: null\n"
    )
    corpus = load("emodb", str(emodb), label_map=str(path))
    assert Counter(row.emotion for row in corpus.utterances) == {"active": 3, "passive": 2}
    assert len(corpus.dropped) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("anger: null\nfear: null\n", "the label map drops everything"),
        ("", "expected a mapping|drops everything"),
        ("anger: angry\nANGER: rage\n", r"map.yaml:2: label 'ANGER': is already|is already in"),
        ("anger: 3\n", r"map.yaml:1: label 'anger': expected the class's name"),
        ("anger: [angry]\n", r"map.yaml:1: label 'anger': expected the class's name"),
        ("anger: ''\n", r"map.yaml:1: label 'anger': expected the class's name"),
        ("joy: happy\nanger: angry\n", None),
    ],
)
def test_wrong_maps(text: str, message: str | None, emodb: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    if message is not None:
        with pytest.raises(ConfigError, match=message) as error:
            load("emodb", str(emodb), label_map=str(path))
        assert error.value.exit_code == 2
        return
    with pytest.raises(DataError, match=r"does not know the label .* of emodb utterance '03a01"):
        load("emodb", str(emodb), label_map=str(path))


def test_a_map_that_drops_all_of_one_corpus(emodb: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    labels = ("anger", "boredom", "disgust", "fear", "happiness", "sadness", "neutral")
    path.write_text("joy: happy\n" + "".join(f"{label}: null\n" for label in labels))
    with pytest.raises(ConfigError, match=r"drops every label of emodb \(anger, boredom"):
        load("emodb", str(emodb), label_map=str(path))
    with pytest.raises(MissingPathError):
        load("emodb", str(emodb), label_map=str(tmp_path / "none.yaml"))


def test_an_unknown_label_names_file_and_utterance(emodb: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "own", "a.wav", "b.wav")
    (folder / "m.csv").write_text("path,emotion,speaker\na.wav,anger,x\nb.wav,schadenfreude,x\n")
    with pytest.raises(DataError, match=r"'schadenfreude' of manifest utterance 'b\.wav'") as error:
        load("emodb,manifest", f"{emodb},{folder / 'm.csv'}")
    assert str(folder / "b.wav") in str(error.value)
    assert error.value.exit_code == 3


def test_nothing_in_common(emodb: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "own", "a.wav")
    (folder / "m.csv").write_text("path,emotion,speaker\na.wav,surprise,x\n")
    with pytest.raises(ConfigError, match=r"no class is in every corpus \(emodb: angry"):
        load("emodb,manifest", f"{emodb},{folder / 'm.csv'}")


def test_fold_columns_stay_only_if_all_have_them(emodb: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "own", "a.wav", "b.wav")
    (folder / "m.csv").write_text(
        "path,emotion,speaker,fold,session\na.wav,anger,x,1,s\nb.wav,fear,y,2,s\n"
    )
    corpus = load("emodb,manifest", f"{emodb},{folder / 'm.csv'}")
    assert {row.fold for row in corpus.utterances} == {None}
    assert {row.session for row in corpus.utterances} == {None, "manifest/s"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"name": "ravdess,savee", "data": "A"},
            r"'corpus.data' is 'A': 1 for 2 corpora \(ravdess, savee\)",
        ),
        ({"name": "ravdess,savee", "data": "A,B,C"}, r"'corpus.data' is 'A,B,C': 3 for 2 corpora"),
        ({"name": "ravdess,,savee"}, "holds an empty name"),
        ({"name": ["ravdess", 3]}, "list of words without commas"),
        ({"name": ["a", "b"], "data": ["x,y", "z"]}, "list of words without commas"),
        ({"emotions": ["angry"]}, "emotions"),
        ({"name": "emodb,emodb", "data": "A,B", "lable_map": "x"}, "did you mean 'label_map'"),
    ],
)
def test_wrong_sections(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(CorpusConfig, fields, prefix="corpus")


def test_one_corpus_twice_is_refused(emodb: Path) -> None:
    with pytest.raises(ConfigError, match="names 'emodb' twice"):
        load("emodb,emodb", f"{emodb},{emodb}")


def test_a_missing_folder_among_several(emodb: Path) -> None:
    with pytest.raises(ConfigError, match="'savee' needs --data FOLDER"):
        load("emodb,savee", f"{emodb},")


def test_a_list_means_the_same(ravdess: Path, emodb: Path) -> None:
    lists = CorpusConfig.model_validate(
        {"name": ["ravdess", "demo", "emodb"], "data": [str(ravdess), None, str(emodb)]}
    )
    assert lists == CorpusConfig(name="ravdess,demo,emodb", data=f"{ravdess},,{emodb}")
    assert lists.members == (("ravdess", str(ravdess)), ("demo", None), ("emodb", str(emodb)))
    assert CorpusConfig(**lists.model_dump(mode="json")) == lists


def test_data_on_the_command_line_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import argparse

    monkeypatch.chdir(tmp_path)

    def data(text: str) -> str:
        return str(overrides(argparse.Namespace(data=text))["corpus.data"])

    assert data("A,B") == f"{tmp_path / 'A'},{tmp_path / 'B'}"
    assert data("A,,/b") == f"{tmp_path / 'A'},,/b"
    assert data("A") == str(tmp_path / "A")
    (tmp_path / "with,comma").mkdir()
    assert data("with,comma") == str(tmp_path / "with,comma")
    assert CorpusConfig(name="emodb", data=data("with,comma")).members == (
        ("emodb", str(tmp_path / "with,comma")),
    )


COMMON = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
MAPPED = {
    "demo": {"calm": None, "fearful": "fear", "surprised": "surprise", "angry": "angry"},
    "emodb": {"anger": "angry", "boredom": None, "happiness": "happy", "sadness": "sad"},
    "emovo": {"joy": "happy", "fear": "fear", "paura": "fear", "gio": "happy", "sor": "surprise"},
    "tess": {"pleasant_surprise": "surprise", "ps": "surprise", "disgust": "disgust"},
    "iemocap": {"exc": "happy", "neu": "neutral"},
    "others": {"anxiety": "fear", "Angry": "angry", "HAPPY": "happy"},
}


@pytest.mark.parametrize("labels", MAPPED.values(), ids=MAPPED)
def test_the_committed_map(labels: dict[str, str | None]) -> None:
    classes = committed_label_map().classes
    assert {label: classes[label.casefold()] for label in labels} == labels
    assert {name for name in classes.values() if name} == set(COMMON)


@given(
    st.dictionaries(
        st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=8),
        st.sampled_from([*COMMON, None]),
        min_size=1,
    )
)
def test_any_map_reads_back(
    tmp_path_factory: pytest.TempPathFactory, classes: dict[str, str | None]
) -> None:
    path = tmp_path_factory.mktemp("map") / "map.yaml"
    path.write_text("".join(f'"{label}": {name or "null"}\n' for label, name in classes.items()))
    if any(classes.values()):
        assert read_label_map(path).classes == classes
    else:
        with pytest.raises(ConfigError, match="drops everything"):
            read_label_map(path)
