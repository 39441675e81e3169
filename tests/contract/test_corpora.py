"""What every corpus of the table owes the rest of the program."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysearch.corpora.table import CORPORA, CorpusConfig, corpus_parser, load_corpus
from raysearch.corpora.utterance import Corpus
from raysearch.errors import ConfigError, EmptyCorpusError, MissingPathError, UnknownNameError

# Names that each corpus must read; the demo corpus writes its own.
SAMPLES = {
    "emodb": ["wav/03a01Wa.wav", "wav/08b02Tb.wav", "wav/16a07Nc.wav"],
    "ravdess": [f"Actor_{actor:02}/03-01-04-02-01-02-{actor:02}.wav" for actor in (1, 2, 24)],
    "manifest": ["one.wav", "deep/two.flac", "three.wav"],
}
FROM_DATA = sorted(SAMPLES)


def make(name: str, root: Path) -> str | None:
    """A small corpus of that name below ``root``; returns what ``--data`` is."""
    if name == "demo":
        return None
    for seed, sample in enumerate(SAMPLES[name]):
        path = root / sample
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(seed).uniform(-0.1, 0.1, 200), 16_000)
    if name != "manifest":
        return str(root)
    rows = [f"{sample},emotion{seed},s{seed}" for seed, sample in enumerate(SAMPLES[name])]
    (root / "m.csv").write_text("\n".join(["path,emotion,speaker", *rows]))
    return str(root / "m.csv")


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
    assert len(ids) == len(SAMPLES.get(config.name, range(384)))
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
