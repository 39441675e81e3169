"""TensorBoard's files hold the history that counts, and none stays open."""

import errno
import itertools
import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import (
    SESSION_START_INFO_TAG,
    parse_session_start_info_plugin_data,
)
from tensorboard.summary.writer.record_writer import RecordWriter

from raysearch.ledger import Event
from raysearch.reporting.tensorboard import TensorBoardObserver
from raysearch.trial_records import Trials


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Files are read in the order of their names: a second and a number, and "10" is before "9"."""
    seconds = itertools.count(1_000_000_000)
    monkeypatch.setattr(time, "time", lambda: float(next(seconds)))


class Board:
    """An observer, and the trials it is told of."""

    def __init__(self, folder):
        self.observer, self.trials, self.seq = TensorBoardObserver(folder), Trials(), 0

    def __call__(self, kind, number=0, attempt=1, **data):
        self.seq += 1
        event = Event(kind, self.seq, f"t{number}", number, attempt, 1, 1.0, 0, data)
        self.trials.apply(event)
        self.observer.changed(self.trials, event)

    def epoch(self, epoch, value, **where):
        self("epoch", epoch=epoch, metrics={"val_uar": value, "val_loss": None}, **where)


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def curve(folder):
    events = read(folder)
    assert set(events.Tags()["scalars"]) == {"val_uar", "best/val_uar"}, "null is no point"
    return [(point.step, pytest.approx(point.value)) for point in events.Scalars("val_uar")]


def test_every_epoch_is_a_point_as_soon_as_it_is_told(tmp_path):
    board = Board(tmp_path)
    for number in (0, 1):
        board("started", number, config={"model.width": 8})
    for epoch in (1, 2):
        board.epoch(epoch, 0.5, number=0)
        board.epoch(epoch, 0.25, number=1)
    assert curve(tmp_path / "0000") == [(1, 0.5), (2, 0.5)]
    assert curve(tmp_path / "0001") == [(1, 0.25), (2, 0.25)]
    board.observer.close()


@pytest.mark.parametrize("same_driver", [True, False])
def test_a_new_attempt_replaces_the_epochs_it_repeats(tmp_path, same_driver):
    board = Board(tmp_path)
    board("started", config={"model.width": 8})
    for epoch in (1, 2, 3, 4):
        board.epoch(epoch, 0.5)
    if not same_driver:
        board.observer.close()
        board.observer = TensorBoardObserver(tmp_path)
    board("resumed", attempt=2, epoch=2)
    assert curve(tmp_path / "0000") == [(1, 0.5), (2, 0.5)], "at once, not at the next epoch"
    board.epoch(3, 0.75, attempt=2)
    board("completed", attempt=2)
    assert curve(tmp_path / "0000") == [(1, 0.5), (2, 0.5), (3, 0.75)]
    assert len(read(tmp_path / "0000").Tensors("settings/text_summary")) == 1


def test_a_paused_trial_keeps_no_file_open_and_its_curve_goes_on(tmp_path):
    board = Board(tmp_path)
    board("started", config={"model.width": 8})
    board.epoch(1, 0.25)
    board("paused", epoch=1)
    assert board.observer._writers == {}
    board("resumed", attempt=2, epoch=1, promoted=True)
    board.epoch(2, 0.5, attempt=2)
    board("paused", attempt=2, epoch=2)
    board("pruned", attempt=2)
    assert curve(tmp_path / "0000") == [(1, 0.25), (2, 0.5)]


def test_a_trial_that_is_resumed_from_nothing_starts_its_curve_anew(tmp_path):
    board = Board(tmp_path)
    board("started", config={})
    board("resumed", attempt=2, epoch=0)
    assert not list(tmp_path.iterdir())
    board.epoch(1, 0.5, attempt=2)
    board.observer.close()
    assert curve(tmp_path / "0000") == [(1, 0.5)]


def test_trials_are_compared_by_their_settings_and_their_best(tmp_path):
    board = Board(tmp_path)
    settings = {"model.width": 8, "model.attention": True, "training.loss": "focal", "x": [1, 2]}
    board("started", config=settings)
    for epoch, value in ((1, 0.25), (2, 0.75), (3, 0.5)):
        board.epoch(epoch, value)
    board.observer.close()
    events = read(tmp_path / "0000")
    assert [point.value for point in events.Scalars("best/val_uar")] == [0.25, 0.75, 0.75]
    content = events.SummaryMetadata(SESSION_START_INFO_TAG).plugin_data.content
    told = parse_session_start_info_plugin_data(content)
    assert told.group_name == "0000"
    values = {name: value.WhichOneof("kind") for name, value in told.hparams.items()}
    assert values == {
        "model.width": "number_value",
        "model.attention": "bool_value",
        "training.loss": "string_value",
        "x": "string_value",
    }
    assert told.hparams["model.width"].number_value == 8


def test_a_trial_without_epochs_leaves_nothing(tmp_path):
    board = Board(tmp_path)
    board("started", config={})
    board("failed", reason="x")
    board.observer.close()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_costs_points_and_no_traceback(tmp_path, monkeypatch, capfd):
    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    board = Board(tmp_path)
    board("started", config={"a": 1})
    board.epoch(1, 0.1)
    with monkeypatch.context() as patch:
        patch.setattr(RecordWriter, "write", full)
        with pytest.raises(OSError, match="No space left"):
            board.epoch(2, 0.2)
    board.epoch(3, 0.3)
    board("completed")
    board.observer.close()
    assert curve(tmp_path / "0000") == [(1, 0.1), (3, 0.3)]
    assert capfd.readouterr().err == ""
