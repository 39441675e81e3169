"""``raysearch.load``: a finished model in use, from ``best/`` alone, equal to an evaluation."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from finished_run import LABELS, NUM_TEST, finished_run, speakers
from tiny_encoder import write_file

import raysearch
from raysearch.errors import DataError, MissingPathError, UserError
from raysearch.features.audio import AudioError, read_waveform


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture(scope="module")
def model(finished):
    return raysearch.load(finished[0].root)


def values(predictions):
    return np.array([list(one.probabilities.values()) for one in predictions])


def test_together_they_are_an_evaluations_to_the_bit(finished, model):
    _, test, expected_NK = finished
    predictions = model.predict_many([read_waveform(path) for path in test])
    assert np.array_equal(values(predictions), expected_NK)
    assert [p.label for p in predictions] == [LABELS[k] for k in expected_NK.argmax(axis=1)]
    assert len(np.unique(expected_NK, axis=0)) == NUM_TEST, "they differ"


def test_a_wave_alone_is_the_same_but_for_rounding(finished, model):
    _, test, expected_NK = finished
    for path, expected_K in zip(test, expected_NK, strict=True):
        prediction = model.predict(*soundfile.read(path, dtype="float32"))
        assert list(prediction.probabilities) == list(LABELS)
        assert values([prediction])[0] == pytest.approx(expected_K, abs=1e-6)
        assert prediction.probability == max(prediction.probabilities.values())


def test_integers_are_what_their_file_says(finished, model):
    path = finished[1][0]
    whole = model.predict(*soundfile.read(path, dtype="int16"))
    assert whole == model.predict(*soundfile.read(path, dtype="float32"))


def test_best_alone_is_enough(finished, model, tmp_path):
    run, test, _ = finished
    copy = shutil.copytree(run.best, tmp_path / "model")
    wave = read_waveform(test[0])
    assert raysearch.load(copy).predict_many([wave]) == model.predict_many([wave])


def test_speakers_own_statistics_normalise(tmp_path):
    run, test, expected_NK = finished_run(tmp_path, normalise="speaker")
    model = raysearch.load(run.best)
    waves = [read_waveform(path) for path in test]
    assert np.array_equal(values(model.predict_many(waves, speakers(NUM_TEST))), expected_NK)
    with pytest.raises(UserError, match="several recordings of each speaker"):
        model.predict(waves[0].samples, waves[0].sample_rate)


@pytest.mark.parametrize("pooling", ["mean_std", "attentive"])
def test_best_holds_the_encoder_that_was_read(tmp_path, pooling):
    """Its statistics, or its frames, which are stored in half precision."""
    (tmp_path / "encoder").mkdir()
    weights = write_file(tmp_path / "encoder")
    settings = {"features.ssl.weights": str(weights), "model.pooling": pooling}
    run, test, expected_NK = finished_run(tmp_path, models=[("ssl", settings)])
    copy = run.best.rename(tmp_path / "copy")
    shutil.rmtree(tmp_path / "encoder")
    waves = [read_waveform(path) for path in test]
    assert np.array_equal(values(raysearch.load(copy).predict_many(waves)), expected_NK)
    described = json.loads((copy / "ensemble.json").read_text())
    assert list(described.pop("encoders").values()) == ["encoder-1.pth"]
    (copy / "ensemble.json").write_text(json.dumps(described))
    (copy / "manifest.json").write_text("{}")
    with pytest.raises(MissingPathError, match="left the encoder's weights out"):
        raysearch.load(copy)


@pytest.mark.parametrize(
    ("wave", "reason"),
    [
        (np.zeros(0), "no samples"),
        (np.array([0.0, np.nan]), "NaN or infinite"),
        (np.zeros((2, 2, 2)), "of shape"),
        (np.array(["a"]), "floats or signed integers"),
    ],
)
def test_what_is_no_recording_is_refused(model, wave, reason):
    with pytest.raises(AudioError, match=reason):
        model.predict(wave, 16000)


def test_a_damaged_weight_is_found(finished, tmp_path):
    copy = shutil.copytree(finished[0].best, tmp_path / "best")
    content = bytearray((copy / "net-1.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "net-1.safetensors").write_bytes(content)
    with pytest.raises(DataError, match="does not match its manifest"):
        raysearch.load(tmp_path)


@pytest.mark.parametrize("lacking", ["net-1.inputs.safetensors", "ensemble.json"])
def test_an_earlier_versions_folder_says_what_it_lacks(finished, tmp_path, lacking):
    copy = shutil.copytree(finished[0].best, tmp_path / "best")
    (copy / lacking).unlink()
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest[lacking]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises((DataError, MissingPathError), match=f"{lacking}, made by an earlier"):
        raysearch.load(copy)


def test_no_model_is_told(tmp_path):
    with pytest.raises(MissingPathError, match="no such folder"):
        raysearch.load(tmp_path / "none")
    with pytest.raises(MissingPathError, match="no model there"):
        raysearch.load(tmp_path)


def test_neither_ray_nor_tune_is_loaded(finished):
    run, test, _ = finished
    code = (
        "import sys, soundfile, raysearch; assert 'torch' not in sys.modules;"
        f" model = raysearch.load({str(run.best)!r});"
        f" model.predict(*soundfile.read({str(test[0])!r}));"
        " sys.exit(', '.join({'ray', 'optuna', 'pandas'} & sys.modules.keys()) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
