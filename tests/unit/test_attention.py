"""What a network's attention looked at: read from its forward pass, laid out over a recording."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from finished_run import LABELS, RATE, finished_run

from raysearch.evaluation.probability_columns import probability_column
from raysearch.evaluation.scores import score
from raysearch.features.audio import Waveform
from raysearch.features.extractor import StreamShape
from raysearch.inference.attention_map import attention_map
from raysearch.inference.emotion_model import load
from raysearch.models.layers.attended import attention
from raysearch.models.model_table import build_model, model_config
from raysearch.page.followed_run import run_document
from raysearch.page.pictures import NUM_COLUMNS, picture_of
from raysearch.searching.results import Run

SHAPES = {
    "mel": StreamShape(32, 64),
    "mfcc": StreamShape(20, 64),
    "ssl": StreamShape(12, 30, frames_per_second=50, kind="frames"),
}
LENGTHS = {"mel": [64, 32], "mfcc": [64, 32], "ssl": [30, 15]}


def seen(name, **fields):
    """The weights, and the logits before and after they were asked for."""
    torch.manual_seed(0)
    model = build_model(model_config({"name": name, **fields}), SHAPES, 3).eval()
    inputs = {s: torch.randn(2, one.num_frames, one.num_bins) for s, one in SHAPES.items()}
    lengths = {stream: torch.tensor(rows) for stream, rows in LENGTHS.items()}
    with torch.inference_mode():
        before = model(inputs, lengths)
        weights = attention(model, inputs, lengths)
        assert torch.equal(before, model(inputs, lengths))
    return weights


@pytest.mark.parametrize(
    ("name", "fields", "size"),
    [
        ("lstm", {"pooling": "attention"}, (1, 64)),
        ("lstm", {"pooling": "attention", "conv_blocks": 2}, (1, 16)),
        ("cnn1d_attention", {"attention": "spatial"}, (1, 16)),
        ("cnn1d_attention", {"attention": "both"}, (1, 16)),
        ("emohrnet", {"fuse_attention": "cbam"}, (8, 16)),
        ("emohrnet", {"fuse_attention": "coordinate"}, (8, 16)),
        ("encoder_probe", {"pooling": "attentive"}, (1, 30)),
        ("mfhca", {}, (1, 30)),
    ],
)
def test_networks_with_attention_over_time_show_it(name, fields, size):
    weights = seen(name, **fields)
    assert tuple(weights.shape) == (2, *size)
    assert (weights >= 0).all()
    assert weights.sum() > 0


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("lstm", {"pooling": "mean"}),
        ("cnn1d_attention", {"attention": "channel"}),
        ("emohrnet", {"fuse_attention": "se"}),
        ("emohrnet", {}),
        ("cnn", {}),
        ("encoder_probe", {"pooling": "mean"}),
    ],
)
def test_networks_without_show_none(name, fields):
    assert seen(name, **fields) is None


def test_weights_of_a_pooling_sum_to_one_and_spare_the_padding():
    weights_BHW = seen("lstm", pooling="attention")
    torch.testing.assert_close(weights_BHW.sum(dim=(1, 2)), torch.ones(2))
    assert not weights_BHW[1, 0, 32:].any()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    own = {"training.clip_s": 0.5, "model.pooling": "attention", "model.conv_blocks": 0}
    return finished_run(tmp_path_factory.mktemp("lstm"), models=(("lstm", own),))


@pytest.fixture(scope="module")
def model(finished):
    return load(finished[0].root)


def buzz(seconds):
    time_N = np.arange(int(RATE * seconds)) / RATE
    return Waveform("buzz", np.sin(2 * np.pi * 200 * time_N).astype(np.float32), RATE)


@pytest.mark.parametrize("seconds", [0.2, 0.5, 0.8, 2.3])
def test_a_recordings_columns_are_all_covered(model, seconds):
    weights_HC = attention_map(model, buzz(seconds), 40)
    assert weights_HC.shape == (1, 40)
    assert (weights_HC > 0).all()
    assert np.array_equal(weights_HC, attention_map(model, buzz(seconds), 40))


def test_of_one_window_it_is_what_the_network_used(model):
    """As many columns as frames, so that each has its own."""
    waveform = buzz(0.4)
    (net,) = model.nets
    num_frames = len(next(iter(model.features(waveform).values())))
    weights_HC = attention_map(model, waveform, num_frames)
    assert weights_HC.sum() == pytest.approx(1, abs=1e-5)
    assert net.shapes["mel"].num_frames > num_frames


def test_a_picture_is_small_and_has_the_attention_of_its_model(model):
    picture = picture_of(buzz(2.3), model)
    assert (picture.num_columns, picture.num_rows) == (NUM_COLUMNS, 1)
    assert picture.num_bytes < 6000
    assert picture == picture_of(buzz(2.3), model)
    bare = picture_of(buzz(2.3), None)
    assert (bare.num_rows, bare.attention, bare.levels) == (0, "", picture.levels)


def evaluated(finished, mode="fold", trial="t0"):
    """What an evaluation stores of the test recordings, each second one wrong."""
    run, paths, probs_NK = finished
    fold, rows = run.spec().protocol.fold, []
    for number, (path, probs_K) in enumerate(zip(paths, probs_NK, strict=True)):
        best = int(probs_K.argmax())
        rows.append(
            {
                "utterance": path.stem,
                "corpus": "demo",
                "speaker": f"s{number}",
                "sex": None,
                "fold": fold,
                "seed": 0,
                "emotion": LABELS[(best + number % 2) % len(LABELS)],
                "predicted": LABELS[best],
                **dict(zip(map(probability_column, LABELS), map(float, probs_K), strict=True)),
            }
        )
    table = pa.Table.from_pylist(rows)
    figures = score(table, protocol="speaker_independent", where={"fold": fold}, notes=[])
    stored = {"mode": mode, "trial": trial, **figures}
    (run.root / "evaluation.json").write_text(json.dumps(stored))
    pq.write_table(table, run.root / f"predictions-{mode}.parquet")
    splits = [{**row, "split": "test", "path": str(paths[i])} for i, row in enumerate(rows)]
    keys = ("utterance", "speaker", "fold", "split", "emotion", "path")
    run.write_splits([{key: row[key] for key in keys} for row in splits])
    return run


@pytest.mark.parametrize(
    ("mode", "trial", "num_rows"), [("fold", "t0", 1), ("fold", "before", 0), ("paper", "t0", 0)]
)
def test_the_page_shows_the_attention_of_the_model_that_answered(finished, mode, trial, num_rows):
    run = evaluated(finished, mode, trial)
    found = run_document(Run(run.root)).model.evaluations[mode]
    assert len(found.mistakes) == 3
    assert {a.picture.num_rows for a in [*found.mistakes, found.right]} == {num_rows}
    bare = run_document(Run(run.root), audio=False).model.evaluations[mode]
    assert all(a.picture is None for a in [*bare.mistakes, bare.right])
