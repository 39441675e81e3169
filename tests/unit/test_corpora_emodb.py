"""EMO-DB's names, and the real corpus where RAYSEARCH_EMODB points at it."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.errors import ConfigError, EmptyCorpusError


def write(root: Path, *names: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        noise = np.random.default_rng(len(list(root.iterdir()))).uniform(-0.1, 0.1, 160)
        soundfile.write(root / name, noise, 16_000)


def test_names(tmp_path: Path) -> None:
    write(tmp_path / "wav", "03a01Wa.wav", "16b10Lb.wav", "09a04Ec.wav")
    corpus = load_corpus(CorpusConfig(name="emodb", data=str(tmp_path)), tmp_path)
    facts = [(row.id, row.speaker, row.emotion, row.sex) for row in corpus.utterances]
    assert facts == [
        ("03a01Wa", "03", "anger", "male"),
        ("09a04Ec", "09", "disgust", "female"),
        ("16b10Lb", "16", "boredom", "female"),
    ]
    assert corpus.utterances[0].text == "Der Lappen liegt auf dem Eisschrank."
    assert {row.language for row in corpus.utterances} == {"german"}


def test_near_misses_are_dropped(tmp_path: Path) -> None:
    write(tmp_path, "03a01Wa.wav", "04a01Wa.wav", "03a03Wa.wav", "03a01Xa.wav", "03a01W.wav")
    corpus = load_corpus(CorpusConfig(name="emodb", data=str(tmp_path)), tmp_path)
    assert [row.id for row in corpus.utterances] == ["03a01Wa"]
    assert {Path(row.path).name: row.reason for row in corpus.dropped} == {
        "03a01W.wav": "not an EMO-DB name",
        "03a01Xa.wav": "unknown emotion code 'X'",
        "03a03Wa.wav": "not an EMO-DB name",
        "04a01Wa.wav": "not an EMO-DB name",
    }


def test_wrong_folder_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(EmptyCorpusError, match=r"none of 0 files.*wav/03a01Wa\.wav"):
        load_corpus(CorpusConfig(name="emodb", data=str(tmp_path)), tmp_path)


def test_without_data_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--data.*7447302 \(CC0\)"):
        load_corpus(CorpusConfig(name="emodb"), tmp_path)


@pytest.mark.skipif("RAYSEARCH_EMODB" not in os.environ, reason="RAYSEARCH_EMODB is not set")
def test_the_real_corpus(tmp_path: Path) -> None:
    corpus = load_corpus(CorpusConfig(name="emodb", data=os.environ["RAYSEARCH_EMODB"]), tmp_path)
    assert len(corpus.utterances) == 535
    assert len(corpus.speakers) == 10
    # 16 kHz as released; a republished copy may be resampled, but then every file is.
    (rate,) = {row.sample_rate for row in corpus.utterances}
    assert rate is not None
    assert Counter(row.emotion for row in corpus.utterances) == {
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "neutral": 79,
        "sadness": 62,
    }
