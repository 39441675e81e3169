"""RAVDESS and the state in which its mirrors are found."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.ravdess import EMOTIONS
from raysearch.corpora.utterance import Corpus, Dropped
from raysearch.errors import EmptyCorpusError


def write(path: Path, seed: int, rate: int = 48_000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).uniform(-0.1, 0.1, (40, channels))
    soundfile.write(path, samples, rate, subtype="PCM_16")


def stems() -> list[tuple[str, str]]:
    """(actor folder, stem) of the 1440 official files: neutral has no strong intensity."""
    found = []
    for actor, emotion in product(range(1, 25), EMOTIONS):
        intensities = ("01",) if emotion == "01" else ("01", "02")
        for intensity, statement, repetition in product(intensities, ("01", "02"), ("01", "02")):
            stem = f"03-01-{emotion}-{intensity}-{statement}-{repetition}-{actor:02}"
            found.append((f"Actor_{actor:02}", stem))
    return found


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mirror")
    for seed, (actor, stem) in enumerate(stems()):
        path = root / actor / f"{stem}.wav"
        nested = root / "audio_speech_actors_01-24" / actor / f"{stem}.wav"
        write(path, seed)
        nested.parent.mkdir(parents=True, exist_ok=True)
        nested.write_bytes(path.read_bytes())
    actor, stem = "Actor_01", "03-01-01-01-01-01-01"
    write(root / actor / f"{stem}.wav", 9_001, rate=16_000)
    write(root / "audio_speech_actors_01-24/Actor_02/03-01-05-02-02-01-02.wav", 9_002, 48_000, 2)
    write(root / "Actor_03/03-02-05-02-02-01-03.wav", 9_003)
    write(root / "Actor_03/01-01-05-02-02-01-03.wav", 9_004)
    write(root / "Actor_03/notes.wav", 9_005)
    for stray in (".DS_Store", "Actor_05/._03-01-05-02-02-01-05.wav", "labels.csv", "a.mp4"):
        (root / stray).write_bytes(b"stray")
    return root


@pytest.fixture(scope="module")
def corpus(mirror: Path) -> Corpus:
    return load_corpus(CorpusConfig(name="ravdess", data=str(mirror)), mirror)


def test_ends_with_the_1440_utterances(corpus: Corpus) -> None:
    assert {row.id for row in corpus.utterances} == {stem for _, stem in stems()}
    assert len(corpus.utterances) == 1440
    assert len(corpus.speakers) == 24
    counts = [sum(row.emotion == label for row in corpus.utterances) for label in corpus.emotions]
    assert sorted(counts) == [96] + [192] * 7


def test_keeps_the_original_rate(corpus: Corpus) -> None:
    assert {row.sample_rate for row in corpus.utterances} == {48_000}
    row = corpus.utterances[0]
    assert row.id == "03-01-01-01-01-01-01"
    assert "audio_speech_actors_01-24" in row.path


def test_says_what_was_dropped(corpus: Corpus) -> None:
    reasons = [row.reason for row in corpus.dropped]
    assert reasons.count("second copy of an utterance: the same bytes") == 1438
    assert reasons.count("second copy of an utterance: 16000 Hz, kept 48000 Hz") == 1
    assert reasons.count("second copy of an utterance: other bytes at the same rate") == 1
    assert reasons.count("song, not speech") == 1
    assert reasons.count("sound of a video, not audio-only") == 1
    assert reasons.count("not a RAVDESS name") == 1
    assert reasons.count("a hidden file of the operating system") == 2
    assert reasons.count("no audio by its name") == 2
    assert len(reasons) == 1440 + 7


def test_labels_come_from_the_name(corpus: Corpus) -> None:
    row = next(row for row in corpus.utterances if row.id == "03-01-06-01-02-01-12")
    assert (row.emotion, row.speaker, row.sex) == ("fearful", "12", "female")
    assert (row.text, row.language) == ("Dogs are sitting by the door", "english")
    assert row.session is None
    assert next(row for row in corpus.utterances if row.speaker == "11").sex == "male"


def test_outer_folder_is_enough(mirror: Path, corpus: Corpus) -> None:
    parent = CorpusConfig(name="ravdess", data=str(mirror.parent))
    rows = load_corpus(parent, mirror).utterances
    assert {row.id for row in rows} == {row.id for row in corpus.utterances}


def test_another_corpus_is_refused_with_counts(tmp_path: Path) -> None:
    for seed, name in enumerate(("03a01Wa.wav", "03a01Nc.wav")):
        write(tmp_path / "wav" / name, seed)
    config = CorpusConfig(name="ravdess", data=str(tmp_path))
    with pytest.raises(
        EmptyCorpusError, match=r"none of 2 files.*Actor_18/03-01-05.*--corpus emodb"
    ):
        load_corpus(config, tmp_path)


def test_actors_beyond_24_are_not_ravdess(tmp_path: Path) -> None:
    write(tmp_path / "Actor_24/03-01-05-01-02-01-24.wav", 1)
    write(tmp_path / "Actor_25/03-01-05-01-02-01-25.wav", 2)
    corpus = load_corpus(CorpusConfig(name="ravdess", data=str(tmp_path)), tmp_path)
    stranger = str(tmp_path / "Actor_25/03-01-05-01-02-01-25.wav")
    assert corpus.speakers == ("24",)
    assert corpus.dropped == (Dropped(stranger, "not a RAVDESS name"),)
