"""``raysearch export``: one graph that says what the model says, in runtimes of its own."""

import json

import numpy as np
import pytest
import torch
from finished_run import LABELS, finished_run

import raysearch
from raysearch.__main__ import main
from raysearch.features.audio import Waveform, read_waveform
from raysearch.inference import export as exporting
from raysearch.inference.graph import ModelGraph

SMALL = {"training.clip_s": 0.4}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finished_run(tmp_path_factory.mktemp("finished"))


def run(capsys, *arguments):
    code = main(["export", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def expected(model, waveform):
    return list(model.predict_many([waveform])[0].probabilities.values())


def waves(test):
    """Of one window and of many."""
    found = [read_waveform(path) for path in test]
    long = Waveform("long", np.concatenate([one.samples for one in found[:4]]), 16000)
    return [*found, long]


def test_onnxruntime_says_what_the_model_says(finished, capsys, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    done, test, _ = finished
    path = tmp_path / "model.onnx"
    code, out, err = run(capsys, done.root, "--audio", test[0].parent, "--output", path)
    assert (code, err) == (0, "")
    assert "2 nets in one graph" in out
    assert "on 6 recordings: max difference" in out
    assert sorted(item.name for item in tmp_path.iterdir()) == ["model.json", "model.onnx"]
    model, session = raysearch.load(done.root), onnxruntime.InferenceSession(str(path))
    told = json.loads((tmp_path / "model.json").read_text())
    assert told["labels"] == list(LABELS)
    names = [name for entry in told["inputs"] for name in (entry["name"], entry["lengths"])]
    for waveform in waves(test):
        arrays = ModelGraph(model).arrays(waveform)
        assert list(arrays) == names
        for entry in told["inputs"]:
            assert list(arrays[entry["name"]].shape[1:]) == entry["shape"][1:]
        (probs_K,) = session.run(None, arrays)
        assert probs_K == pytest.approx(expected(model, waveform), abs=1e-5)


# Of one stream, of two that are cut together, recurrent, and with a recurrent head.
@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("cnn", {}),
        ("logistic", {"model.inputs": "mfcc+functionals"}),
        ("lstm", {}),
        ("cnn1d_attention", {"model.head": "gru", "model.filters": 8}),
    ],
)
def test_torch_alone_says_what_the_model_says(capsys, tmp_path, name, own):
    done, test, _ = finished_run(tmp_path / "made", models=[(name, {**SMALL, **own})])
    path = tmp_path / "model.pt2"
    code, _, err = run(capsys, done.best, "--audio", test[0].parent, "--output", path)
    assert (code, err) == (0, "")
    model, module = raysearch.load(done.root), torch.export.load(path).module()
    for waveform in waves(test):
        with torch.no_grad():
            probs_K = module(*ModelGraph(model).inputs(waveform)).numpy()
        assert probs_K == pytest.approx(expected(model, waveform), abs=1e-6)


def test_a_graph_that_says_something_else_is_not_written(finished, capsys, tmp_path, monkeypatch):
    done, test, _ = finished
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    path = tmp_path / "model.pt2"
    code, out, err = run(capsys, done.root, "--audio", test[0], "--output", path)
    assert (code, out) == (3, "")
    assert "not written: the graph differs from the model" in err
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_told(finished, capsys, tmp_path):
    done, _, _ = finished
    code, _, err = run(capsys, done.best, "--format", "torch")
    assert code == 2
    assert "give --audio" in err
    speakers, test, _ = finished_run(tmp_path, normalise="speaker")
    code, _, err = run(capsys, speakers.best, "--format", "torch", "--audio", test[0])
    assert code == 2
    assert "normalise is 'speaker'" in err
