"""Each tracker's own library takes a search and its resumption, and has every epoch once."""

import struct
import warnings
from pathlib import Path

import pytest
from heard_tracker import OBJECTIVE, delivery, recorded_events

from raysearch.ledger import TERMINAL
from raysearch.tracking.tracker_table import TRACKERS
from raysearch.trial_records import Trials

# The libraries' own.
pytestmark = pytest.mark.filterwarnings("ignore")

EVENTS = recorded_events()
CUT = len(EVENTS) // 2
TRIALS = Trials.replay(EVENTS, OBJECTIVE)
EPOCHS = {number: sorted(record.epochs) for number, record in TRIALS.records.items()}
ENDED = {n for n, record in TRIALS.records.items() if record.status in TERMINAL}


def library(name):
    """The tracker's library; the test is skipped where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"{name} is not installed: pip install {name}")


def tell(name, folder):
    """Two sittings of one search."""
    for events, heard, outcome in (
        ([], EVENTS[:CUT], "interrupted"),
        (EVENTS[:CUT], EVENTS, "finished"),
    ):
        sitting = delivery(TRACKERS.load(name), folder, events, name)
        for event in heard:
            sitting.hear(event)
        sitting.close(outcome, {"best_value": 0.5})


def test_mlflow_has_a_parent_run_and_a_run_a_trial(tmp_path, monkeypatch):
    library("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "speech")
    tell("mlflow", tmp_path)
    client = MlflowClient()
    experiment = client.get_experiment_by_name("speech").experiment_id
    runs = {run.data.tags.get("raysearch.trial"): run for run in client.search_runs([experiment])}
    parent = runs.pop(None)
    assert parent.info.run_name == "emo"
    assert parent.data.metrics == {"best_value": 0.5}
    assert parent.data.params["training.epochs"] == "8"
    assert parent.data.tags["raysearch.corpus"] == "demo"
    assert (parent.info.status, parent.data.tags["raysearch.outcome"]) == ("FINISHED", "finished")
    assert {int(tag) for tag in runs} == set(EPOCHS)
    for tag, run in runs.items():
        record = TRIALS.records[int(tag)]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.params == {key: str(value) for key, value in record.config.items()}
        points = client.get_metric_history(run.info.run_id, "epoch")
        steps = sorted(point.step for point in points)
        assert steps == sorted(set(steps)), "an epoch twice"
        assert steps == EPOCHS[record.number]
        if record.number in ENDED:
            assert run.info.status == ("FAILED" if record.status == "failed" else "FINISHED")
        if record.best_metric is not None and record.number in ENDED:
            assert run.data.metrics[f"best_{OBJECTIVE}"] == record.best_metric


def test_wandb_has_a_group_with_a_run_a_trial(tmp_path, monkeypatch):
    library("wandb")
    (tmp_path / "wandb").mkdir()
    for name, value in (("MODE", "offline"), ("DIR", str(tmp_path)), ("PROJECT", "speech")):
        monkeypatch.setenv(f"WANDB_{name}", value)
    tell("wandb", tmp_path)
    runs = {}
    for path in sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb")):
        for record in records(path):
            key = path.stem.rpartition("-")[2]
            if record.HasField("run"):
                assert record.run.project == "speech"
                assert record.run.run_group.startswith("emo ")
                assert "corpus:demo" in record.run.tags
            if record.HasField("history"):
                runs.setdefault(key, []).append(record.history.step.num)
            runs.setdefault(key, [])
    runs.pop("search")
    assert {int(key): sorted(steps) for key, steps in runs.items()} == EPOCHS


def records(path):
    """What a file of wandb's holds: records in blocks of 32 KiB, as LevelDB's logs have them."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        _, size, kind = struct.unpack_from("<IHB", content, place)
        parts += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(parts)
            parts = b""


def test_trackio_has_a_group_with_a_run_a_trial(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # it is read when imported
    library("trackio")
    from trackio.sqlite_storage import SQLiteStorage

    monkeypatch.setenv("TRACKIO_PROJECT", f"speech-{tmp_path.name}")
    tell("trackio", tmp_path)
    project = f"speech-{tmp_path.name}"
    names = {name.rpartition(" ")[2]: name for name in SQLiteStorage.get_runs(project)}
    whole = SQLiteStorage.get_logs(project, names.pop("search"))
    assert [row["outcome"] for row in whole] == ["interrupted", "finished"]
    assert {int(key) for key in names} == set(EPOCHS)
    for key, name in names.items():
        rows = SQLiteStorage.get_logs(project, name)
        steps = sorted(row["step"] for row in rows if OBJECTIVE in row)
        assert steps == EPOCHS[int(key)]
    assert capsys.readouterr().out == "", "it would be printed into the table"


def test_each_tracker_of_the_table_has_a_test():
    text = Path(__file__).read_text()
    assert all(f"def test_{name}_" in text for name in TRACKERS.built_in)
