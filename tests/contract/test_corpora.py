"""What every corpus of the table owes the rest of the program."""

import hashlib
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_trees import NAMED, NUM_UTTERANCES, STRAYS, TABLES, make, write_named
from demo_layouts import LAYOUTS, TAKES, Take, move
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from raysearch.corpora.corpus_table import (
    CORPORA,
    CorpusConfig,
    corpora_of_fixed_ids,
    corpus_parser,
    licence_of,
    load_corpus,
)
from raysearch.corpora.emobox_names import named_entry
from raysearch.corpora.labels import committed_label_map
from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import ConfigError, EmptyCorpusError, MissingPathError, UnknownNameError

FROM_DATA = sorted([*NAMED, *TABLES])


def test_every_corpus_of_the_table_is_here() -> None:
    missing = sorted(set(CORPORA.names()) - {*FROM_DATA, "demo"})
    assert not missing, f"add {missing} to NAMED and STRAYS in tests/contract/corpus_trees.py"
    assert set(FROM_DATA) < set(CORPORA.names())
    assert NAMED.keys() == STRAYS.keys(), "each corpus of NAMED has some STRAYS"


def test_every_emotion_has_a_place_in_the_common_label_map() -> None:
    """Else a corpus could not be joined with another."""
    known = committed_label_map().classes
    for name, samples in NAMED.items():
        emotions = {sample.emotion.casefold() for sample in samples} - set(known)
        assert not emotions, f"{name}: add {emotions} to raysearch/corpora/label_map.yaml"


@pytest.fixture(scope="module", params=CORPORA.names())
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CorpusConfig, Path, Corpus]:
    root = tmp_path_factory.mktemp(request.param)
    config = CorpusConfig(name=request.param, data=make(request.param, root))
    return config, root, load_corpus(config, root)


def test_utterances(loaded: tuple[CorpusConfig, Path, Corpus]) -> None:
    config, _, corpus = loaded
    ids = [row.id for row in corpus.utterances]
    assert corpus.name == config.name
    assert len(ids) == NUM_UTTERANCES[config.name]
    assert ids == sorted(set(ids))
    for row in corpus.utterances:
        assert row.corpus == corpus.name
        assert Path(row.path).is_absolute()
        assert row.content_hash == hashlib.sha256(Path(row.path).read_bytes()).hexdigest()[:32]
        assert row.speaker
        assert row.emotion
        info = soundfile.info(row.path)
        assert (row.sample_rate, row.duration_s) == (info.samplerate, info.duration)
        assert row.sex in (None, "female", "male")


def test_speakers_and_emotions(loaded: tuple[CorpusConfig, Path, Corpus]) -> None:
    corpus = loaded[2]
    assert list(corpus.speakers) == sorted({row.speaker for row in corpus.utterances})
    assert list(corpus.emotions) == sorted({row.emotion for row in corpus.utterances})


def test_the_same_each_time_and_anywhere(
    loaded: tuple[CorpusConfig, Path, Corpus], tmp_path: Path
) -> None:
    config, root, corpus = loaded
    assert load_corpus(config, root) == corpus
    moved = tmp_path / "moved"
    shutil.copytree(root, moved)
    if config.data:
        config = CorpusConfig(name=config.name, data=config.data.replace(str(root), str(moved)))
    rows = load_corpus(config, moved).utterances
    assert [replace(row, path="") for row in rows] == [
        replace(row, path="") for row in corpus.utterances
    ]


@pytest.mark.parametrize("name", FROM_DATA)
def test_wrong_data(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--data"):
        load_corpus(CorpusConfig(name=name), tmp_path)
    with pytest.raises(MissingPathError, match="no such"):
        load_corpus(CorpusConfig(name=name, data=str(tmp_path / "none.csv")), tmp_path)
    file = tmp_path / "file.txt"
    file.write_text("x")
    with pytest.raises(ConfigError, match="--data"):
        load_corpus(CorpusConfig(name=name, data=str(file)), tmp_path)


@pytest.mark.parametrize("name", FROM_DATA)
def test_nothing_there(name: str, tmp_path: Path) -> None:
    data = tmp_path / "m.csv"
    data.write_text("path,emotion,speaker\n")
    config = CorpusConfig(name=name, data=str(data if name == "manifest" else tmp_path))
    with pytest.raises(EmptyCorpusError) as error:
        load_corpus(config, tmp_path)
    assert error.value.exit_code == 3


@pytest.mark.parametrize("layout", ["official", "mirrored"])
@pytest.mark.parametrize("name", NAMED)
def test_labels_in_every_layout(name: str, layout: str, tmp_path: Path) -> None:
    root = write_named(name, tmp_path, layout)
    corpus = load_corpus(CorpusConfig(name=name, data=str(root)), tmp_path)
    found = {
        row.id: (row.path, row.speaker, row.emotion, row.text, row.sex) for row in corpus.utterances
    }
    assert found == {
        one.id: (str(root / getattr(one, layout)), one.speaker, one.emotion, one.text, one.sex)
        for one in NAMED[name]
    }


@pytest.mark.parametrize("name", NAMED)
def test_both_layouts_in_one_folder_are_one_corpus(name: str, tmp_path: Path) -> None:
    once = load_corpus(
        CorpusConfig(name=name, data=str(write_named(name, tmp_path / "once"))), tmp_path
    )
    write_named(name, tmp_path / "twice")
    write_named(name, tmp_path / "twice/copy", "mirrored")
    shutil.rmtree(tmp_path / "twice/copy/Session1", ignore_errors=True)
    twice = load_corpus(CorpusConfig(name=name, data=str(tmp_path / "twice")), tmp_path)
    assert [replace(row, path="") for row in twice.utterances] == [
        replace(row, path="") for row in once.utterances
    ]
    copies = [row for row in twice.dropped if row.reason.startswith("second copy")]
    assert len(copies) == len(NAMED[name])


@pytest.mark.parametrize("name", NAMED)
def test_strays_are_dropped_with_their_reason(name: str, tmp_path: Path) -> None:
    root = write_named(name, tmp_path, strays=True)
    (root / "Thumbs.db").write_bytes(b"x")
    (root / "._03a01Wa.wav").write_bytes(b"x")
    corpus = load_corpus(CorpusConfig(name=name, data=str(root)), tmp_path)
    assert {row.id for row in corpus.utterances} == {one.id for one in NAMED[name]}
    found = {str(Path(row.path).relative_to(root)): row.reason for row in corpus.dropped}
    if name == "iemocap":
        # Labels whose audio is there count as used, and are not strays.
        assert not any("EmoEvaluation/" in path for path in found)
    assert found == {
        **STRAYS[name],
        "Thumbs.db": "no audio by its name",
        "._03a01Wa.wav": "a hidden file of the operating system",
    }


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("forest")
    for name in NAMED:
        write_named(name, root / name)
    return root


@pytest.mark.parametrize("asked", [name for name in FROM_DATA if name != "manifest"])
@pytest.mark.parametrize("there", NAMED)
def test_another_corpus_is_refused_by_its_name(asked: str, there: str, forest: Path) -> None:
    if asked == there:
        return
    config = CorpusConfig(name=asked, data=str(forest / there))
    with pytest.raises(EmptyCorpusError, match=f"looks like {there}: --corpus {there}$") as error:
        load_corpus(config, forest)
    assert corpus_parser(asked).expects.split()[0] in str(error.value) or asked == "iemocap"
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("audformat", "licence in its header"),
        ("crema_d", "ODbL"),
        ("emobox", "that corpus' licence"),
        ("emodb", "CC0"),
        ("emovo", "by signed request"),
        ("hugging_face", "licence on its card"),
        ("iemocap", "by signed request"),
        ("msp_improv", "by signed agreement"),
        ("msp_podcast", "by signed agreement"),
        ("nemo", "CC BY-NC-SA 4.0"),
        ("ravdess", "CC BY-NC-SA 4.0"),
        ("savee", "free for research, after registration"),
        ("tess", "CC BY-NC-ND 4.0"),
    ],
)
def test_without_data_it_says_where_and_under_which_licence(
    name: str, licence: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"--data FOLDER .*get the corpus from") as error:
        load_corpus(CorpusConfig(name=name), tmp_path)
    assert corpus_parser(name).source in str(error.value)
    assert licence in str(error.value)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Utterance]:
    """The demo corpus with the common classes, by the file's stem."""
    config = CorpusConfig(name="demo", label_map="common", calm="neutral")
    corpus = load_corpus(config, tmp_path_factory.mktemp("demo"))
    return {row.id: row for row in corpus.utterances}


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=20, deadline=None)
@example(takes=set(TAKES))
@given(takes=st.sets(st.sampled_from(TAKES), min_size=1, max_size=48))
def test_the_demo_tree_moved_into_a_layout_reads_back(
    layout: str, demo: dict[str, Utterance], takes: set[Take]
) -> None:
    files = {take: Path(demo[take.stem].path) for take in takes}
    with tempfile.TemporaryDirectory(dir=files[next(iter(takes))].parents[2]) as folder:
        data, places = move(layout, files, Path(folder))
        assume(places)
        config = CorpusConfig(
            name=LAYOUTS[layout][0], data=str(data), label_map="common", calm="neutral"
        )
        corpus = load_corpus(config, Path(folder))
    found = {row.content_hash: row for row in corpus.utterances}
    assert len(found) == len(corpus.utterances) == len({row.id for row in corpus.utterances})
    assert not corpus.dropped
    assert found.keys() == {demo[take.stem].content_hash for take in places}
    for take, place in places.items():
        before, after = demo[take.stem], found[demo[take.stem].content_hash]
        assert (after.emotion, after.speaker) == (before.emotion, place.speaker)
        assert after.sex in (before.sex, None)
        assert (after.sample_rate, after.duration_s) == (before.sample_rate, before.duration_s)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown corpus 'emo-db' \(did you mean 'emodb'"):
        load_corpus(CorpusConfig(name="emo-db"), tmp_path)
    with pytest.raises(UnknownNameError, match="not a subclass of CorpusParser"):
        corpus_parser("raysearch.corpora.utterance:Corpus")


OWN = """
from raysearch.corpora.parser import CorpusParser, Entry, walk_audio
from raysearch.corpora.utterance import Dropped

class Own(CorpusParser):
    name = "own"
    expects = "SPEAKER_EMOTION.wav"

    def find(self, root):
        for found in walk_audio(root):
            if isinstance(found, Dropped):
                yield found
            else:
                speaker, emotion = found.stem.split("_")
                yield Entry(found, found.stem, speaker, emotion)
"""


def test_a_users_own_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "users_own_corpus.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    audio = tmp_path / "audio"
    audio.mkdir()
    soundfile.write(audio / "a_joy.wav", np.zeros(100), 8_000)
    config = CorpusConfig(name="users_own_corpus:Own", data=str(audio))
    corpus = load_corpus(config, tmp_path)
    assert (corpus.name, corpus.speakers, corpus.emotions) == ("own", ("a",), ("joy",))


@pytest.mark.parametrize("name", CORPORA.built_in)
def test_the_parser_alone_knows_what_others_must_know_of_it(name: str) -> None:
    parser = corpus_parser(name)
    assert parser.name == name
    assert name in (CorpusConfig.model_fields["name"].description or "")
    assert licence_of(name) == (parser.licence or f"{name}: see the licence of the corpus.")
    assert (name in corpora_of_fixed_ids()) == parser.fixed_ids
    if name in NAMED:
        assert parser.licence
        assert parser.fixed_ids
        dataset = name.replace("_", "-").upper()  # as a list of EmoBox may write it
        files = [Path(one.official) for one in NAMED[name]]
        assert all((found := named_entry(dataset, file)) and found.speaker for file in files)
