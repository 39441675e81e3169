"""TensorBoard gets a run's confusions and spectrograms, as images that it can read back."""

import io

import numpy as np
import pytest
from finished_run import LABELS, NETWORK, finished_run
from paged_run import evaluated
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from raysearch.reporting.board_pictures import write_pictures
from raysearch.reporting.drawing import Heard, draw_confusion, draw_heard
from raysearch.run_folder import RunFolder
from raysearch.training.predictions import Predictions

BLUE, WHITE = (8, 48, 107), (255, 255, 255)


def images(run):
    """Each image by its tag, as TensorBoard's own reader has them."""
    events = EventAccumulator(str(run.root / "tensorboard" / "final"))
    events.Reload()
    found = {}
    for tag in events.Tags()["images"]:
        (event,) = events.Images(tag)
        found[tag] = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
        assert found[tag].shape == (event.height, event.width, 3)
    return found


@pytest.fixture(scope="module", params=["utterance", "train_bin", "speaker"])
def run(tmp_path_factory, request):
    """A run that was evaluated, whose best trial took the second emotion for the third."""
    root = tmp_path_factory.mktemp("run")
    run, recordings, _ = finished_run(root, normalise=request.param, models=(NETWORK,))
    log_probs_NK = np.log(np.full((4, 3), 0.1) + 0.7 * np.eye(3)[[0, 0, 2, 2]])
    folder = run.root / "checkpoints/0000/epoch-0001-attempt-1"
    Predictions(("a", "b", "c", "d"), np.array([0, 0, 1, 2]), log_probs_NK).save(
        folder / "validation.parquet"
    )
    run.write_splits(
        {"utterance": str(n), "speaker": "s1", "fold": 0, "split": "validation",
         "emotion": LABELS[n % 3], "duration_s": 1, "path": str(path)}
        for n, path in enumerate([run.root / "gone.wav", *recordings])
    )  # fmt: skip
    (run.root / "tensorboard").mkdir()
    return evaluated(run)


def test_the_pictures_are_those_of_the_run(run):
    assert write_pictures(run) == []
    found = images(run)
    assert set(found) == {
        "confusion/validation",
        "confusion/test, fold",
        "confusion/test, paper",
        "spectrogram/mel",
    }
    counts_KK = np.array([[2, 0, 0], [0, 0, 1], [0, 0, 1]])
    title = "validation, trial 0000: UA 66.7%"
    assert np.array_equal(found["confusion/validation"], draw_confusion(counts_KK, LABELS, title))
    assert len(np.unique(found["spectrogram/mel"].reshape(-1, 3), axis=0)) > 50


def test_they_are_drawn_anew(run):
    write_pictures(run)
    before = images(run)
    write_pictures(run)
    after = images(run)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[tag], after[tag]) for tag in before)


def test_what_is_damaged_is_told_and_the_rest_is_drawn(run):
    path = run.root / "checkpoints/0000/epoch-0001-attempt-1/validation.parquet"
    content = path.read_bytes()
    path.write_bytes(b"PAR1")
    try:
        (note,) = write_pictures(run)
    finally:
        path.write_bytes(content)
    assert note.startswith("TensorBoard: a picture is left out:")
    assert "validation.parquet" in note
    assert "confusion/test, fold" in images(run)


def test_a_run_without_a_model_has_none(tmp_path):
    run = RunFolder(tmp_path)
    assert write_pictures(run) == []
    assert not list(tmp_path.iterdir())


def test_a_cell_is_as_blue_as_its_share():
    counts_KK = np.array([[4, 0], [2, 2]])
    pixels = draw_confusion(counts_KK, ("a", "b"), "title")
    height, width, _ = pixels.shape
    blues = np.all(pixels == BLUE, axis=-1)
    rows, _ = np.nonzero(blues[:, : width // 2])
    assert rows.size > 40 * 40, "the cell that has all of its row"
    assert rows.max() < height / 2 + 64
    half = tuple(int(255 + (one - 255) * 0.5) for one in BLUE)
    assert (pixels == half).all(axis=-1).sum() > 2 * 40 * 40, "two cells that share theirs"
    assert tuple(pixels[-1, -1]) == WHITE


def test_low_bins_are_at_the_bottom_and_what_is_masked_is_beside_it():
    x_TF = np.tile(np.arange(8, dtype=np.float32), (20, 1))
    masked_TF = np.where(np.arange(8) == 3, 0, x_TF).astype(np.float32)
    alone = draw_heard([Heard("a", x_TF)])
    assert alone[-15, 20].sum() < alone[-30, 20].sum(), "dark is low"
    both = draw_heard([Heard("a", x_TF, masked_TF)])
    assert both.shape[1] > alone.shape[1]
