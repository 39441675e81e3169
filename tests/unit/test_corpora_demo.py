"""The demo corpus: made once, the same each time, neither trivial nor hopeless."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from raysearch.corpora.corpus_table import CorpusConfig, load_corpus
from raysearch.corpora.demo import synthesise
from raysearch.corpora.espeak import Line, speak
from raysearch.corpora.utterance import Corpus, Utterance
from raysearch.errors import ConfigError, DataError
from raysearch.features.compiled_librosa import load_librosa

librosa = load_librosa()


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage")


@pytest.fixture(scope="module")
def corpus(storage: Path) -> Corpus:
    return load_corpus(CorpusConfig(), storage)


def test_composition(corpus: Corpus) -> None:
    assert len(corpus.utterances) == 384
    assert corpus.dropped == ()
    assert corpus.speakers == tuple(f"{number:02}" for number in range(1, 13))
    cells = Counter((row.speaker, row.emotion, row.text) for row in corpus.utterances)
    assert len(cells) == 12 * 8 * 2
    assert set(cells.values()) == {2}
    assert len({row.content_hash for row in corpus.utterances}) == 384
    assert all(1 < (row.duration_s or 0) < 4 for row in corpus.utterances)
    assert (Path(corpus.root) / "Actor_01/03-01-05-01-02-01-01.wav").is_file()


def test_ravdess_own_parser_reads_it(corpus: Corpus) -> None:
    read = load_corpus(CorpusConfig(name="ravdess", data=corpus.root), Path(corpus.root))
    facts = [(row.id, row.speaker, row.emotion, row.sex) for row in read.utterances]
    assert facts == [(row.id, row.speaker, row.emotion, row.sex) for row in corpus.utterances]


def test_same_bytes_each_time(corpus: Corpus, tmp_path: Path) -> None:
    again = load_corpus(CorpusConfig(), tmp_path)
    assert [row.content_hash for row in again.utterances] == [
        row.content_hash for row in corpus.utterances
    ]


def test_made_once_and_repaired(corpus: Corpus, storage: Path) -> None:
    path = Path(corpus.utterances[0].path)
    written = path.stat().st_mtime_ns
    assert synthesise(storage) == Path(corpus.root)
    assert path.stat().st_mtime_ns == written
    path.unlink()
    assert load_corpus(CorpusConfig(), storage) == corpus
    assert [entry.name for entry in Path(corpus.root).parent.iterdir()] == ["demo-v1"]


def test_takes_no_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="makes its own audio"):
        load_corpus(CorpusConfig(data=str(tmp_path)), tmp_path)


def test_a_refused_voice_is_one_line() -> None:
    with pytest.raises(DataError, match=r"espeak-ng ended with 1: .*refused voice"):
        speak([Line("no-such-voice", "Hello", 160, 50, 50)])


def pooled(row: Utterance) -> np.ndarray:
    """Mean and standard deviation over time of 40 log-mel bins."""
    samples, rate = soundfile.read(row.path, dtype="float32")
    mel = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=512, hop_length=441, n_mels=40)
    log_mel = np.log(mel + 1e-6)
    return np.concatenate([log_mel.mean(axis=1), log_mel.std(axis=1)])


def test_neither_trivial_nor_hopeless(corpus: Corpus) -> None:
    pooled_rows = np.stack([pooled(row) for row in corpus.utterances])
    labels = np.array([row.emotion for row in corpus.utterances])
    folds = np.array([(int(row.speaker) - 1) // 2 for row in corpus.utterances])
    predicted = np.empty_like(labels)
    for fold in range(6):
        is_test = folds == fold
        model = make_pipeline(StandardScaler(), SVC(C=10)).fit(
            pooled_rows[~is_test], labels[~is_test]
        )
        predicted[is_test] = model.predict(pooled_rows[is_test])
    assert 0.30 < recall_score(labels, predicted, average="macro") < 0.75
