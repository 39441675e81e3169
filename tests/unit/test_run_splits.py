"""The splits of a run's folds, of one reading of its corpus."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from raysearch.errors import MissingPathError
from raysearch.evaluation.run_splits import RunSplits
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec

NUM_FOLDS = 4
RATE = 16_000


@pytest.fixture
def run(tmp_path):
    draws, lines = np.random.default_rng(0), ["path,speaker,emotion"]
    for speaker in range(NUM_FOLDS):
        for emotion in ("joy", "anger"):
            name = f"{speaker}-{emotion}.wav"
            soundfile.write(tmp_path / name, draws.uniform(-0.1, 0.1, RATE // 10), RATE)
            lines.append(f"{name},{speaker},{emotion}")
    (tmp_path / "m.csv").write_text("\n".join(lines))
    settings = {"corpus.name": "manifest", "corpus.data": str(tmp_path / "m.csv")}
    settings["protocol.folds"] = "leave_one_speaker_out"
    found = RunFolder(tmp_path / "run")
    found.open(SearchSpec.load("cnn", list(settings.items())), resume=False)
    return found


def test_the_corpus_is_read_once_for_all_folds(run, tmp_path):
    spec, splits = run.spec(), RunSplits(run, tmp_path)
    own = splits.of(spec)
    (tmp_path / "m.csv").unlink()
    with pytest.raises(MissingPathError):
        RunSplits(run, tmp_path).of(spec)
    assert splits.of(spec) is own
    tested = [
        {row.speaker for row in splits.of(in_fold(spec, fold)).split.test}
        for fold in range(NUM_FOLDS)
    ]
    assert sorted(tested, key=min) == [{"0"}, {"1"}, {"2"}, {"3"}]


def in_fold(spec, fold):
    return replace(spec, protocol=spec.protocol.model_copy(update={"fold": fold}))
