"""The figures of a search follow from its ledger alone."""

import json

import pytest

from raysearch.files import write_json
from raysearch.ledger import Ledger, read
from raysearch.ledger_events import BY_HAND
from raysearch.reporting.leaderboard import COLUMNS, leaderboard_rows, write_leaderboard
from raysearch.reporting.summary import summarize, trial_overheads
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials

METRICS = {"val_uar": 0.5, "val_wa": 0.6, "val_macro_f1": 0.4, "val_loss": 1.0, "train_loss": 1.0}


@pytest.fixture
def clock(monkeypatch):
    """The ledger's clock, set by hand."""
    now = [100.0]
    monkeypatch.setattr("raysearch.ledger.time.time", lambda: now[0])
    return now


@pytest.fixture
def run(tmp_path, clock):
    """Two slots; trials 0 and 2 on slot 0, trial 1 on slot 1, trial 3 a copy, trial 4 in flight."""
    folder = RunFolder(tmp_path)
    spec = SearchSpec.load("emohrnet", [("search.objective", "val_uar")])
    folder.spec_file.write_text(spec.to_yaml())
    write_json(folder.info_file, {"sessions": [{"started": 90.0, "fence": 1, "ended": 140.0}]})
    ledger = Ledger.open(folder.ledger_file, 1)

    def write(event, number, at, slot=None, **data):
        clock[0] = at
        ledger.append(event, trial=f"t{number}", number=number, attempt=1, slot=slot, **data)

    def epoch(number, at, slot, index, uar, train_s):
        metrics = {**METRICS, "val_uar": uar}
        write(
            "epoch", number, at, slot, epoch=index, metrics=metrics, train_s=train_s, num_params=7
        )

    write("started", 0, 100.0, config={"model.width": 8}, published=True)
    write("started", 1, 100.0, config={"model.width": 12})
    epoch(0, 105.0, 0, 1, 0.3, 3.0)
    epoch(1, 106.0, 1, 1, 0.7, 4.0)
    write("pruned", 1, 107.0, 1, reason="stopped by asha")
    epoch(0, 110.0, 0, 2, 0.5, 3.5)
    write("completed", 0, 110.0, 0)
    write("started", 2, 110.0, config={"model.width": 16})
    epoch(2, 115.0, 0, 1, 0.4, 4.5)
    write("completed", 2, 115.75, 0)
    write("started", 3, 116.0, config={"model.width": 16})
    write("completed", 3, 116.0, copied_from=2)
    write("started", 4, 117.0, config={"model.width": 8})
    epoch(4, 120.0, 1, 1, 0.2, 2.0)
    ledger.close()
    return folder


def test_overhead_is_the_slots_time_less_training(run):
    # Slot 0: trial 2 ended 5.75 s after trial 0 and trained 4.5 s. Slot 1 has one ended trial.
    assert trial_overheads(read(run.ledger_file)) == [pytest.approx(1.25)]


def test_a_pause_ends_what_a_slot_is_busy_with(run, clock):
    ledger = Ledger.open(run.ledger_file, 1)
    clock[0] = 120.5
    ledger.append("paused", trial="t4", number=4, attempt=1, slot=1, epoch=1)
    ledger.close()
    # Slot 1: trial 4 paused 13.5 s after trial 1 ended, and trained 2 s.
    events = read(run.ledger_file)
    assert trial_overheads(events) == [pytest.approx(1.25), pytest.approx(11.5)]
    summary = summarize(run, events, run.trials())
    assert (summary["num_paused"], summary["num_unfinished"]) == (1, 0)
    assert summary["best_trial"] == 1, "where trials pause, the best value ranks first"
    rows = leaderboard_rows(run.spec(), run.trials())
    assert {row["number"]: row["status"] for row in rows}[4] == "paused"


def test_summary(run):
    summary = summarize(run, read(run.ledger_file), run.trials())
    assert summary["best_trial"] == 0, "a stopped trial ranks below one that reached the end"
    assert summary["best_val_uar"] == summary["best_value"] == 0.5
    assert summary["wall_s"] == 50.0
    assert summary["startup_s"] == 15.0
    assert summary["train_compute_s"] == 17.0
    assert summary["trial_overhead_s"] == summary["trial_overhead_median_s"] == pytest.approx(1.25)
    counts = [summary[f"num_{name}"] for name in ("trials", "completed", "pruned", "failed")]
    assert counts == [5, 3, 1, 0]
    assert summary["num_unfinished"] == 1
    json.dumps(summary, allow_nan=False)


def test_a_trial_stopped_by_hand_is_not_counted_as_stopped_by_the_rule(run, clock):
    ledger = Ledger.open(run.ledger_file, 1)
    clock[0] = 121.0
    ledger.append("pruned", trial="t4", number=4, attempt=1, slot=1, reason=BY_HAND)
    ledger.close()
    summary = summarize(run, read(run.ledger_file), run.trials())
    counts = [summary[f"num_{name}"] for name in ("pruned", "stopped_by_hand", "unfinished")]
    assert counts == [1, 1, 0]


def test_the_best_value_is_the_objectives(run):
    events = read(run.ledger_file)
    summary = summarize(run, events, Trials.replay(events, "val_loss"))
    assert (summary["objective"], summary["best_value"]) == ("val_loss", 1.0)
    assert summary["best_val_uar"] == 0.3, "the UA of the epoch that the loss chose"


@pytest.fixture
def fresh(tmp_path):
    """A run without a trial."""
    folder = RunFolder(tmp_path)
    folder.spec_file.write_text(SearchSpec.load("emohrnet").to_yaml())
    return folder


def test_epochs_without_seconds_count_as_none(fresh, clock):
    ledger = Ledger.open(fresh.ledger_file, 1)
    event = {"trial": "t0", "number": 0, "attempt": 1, "slot": 0}
    ledger.append("started", config={}, **event)
    ledger.append("epoch", epoch=1, metrics=METRICS, train_s=float("nan"), **event)
    ledger.append("completed", **event)
    ledger.close()
    events = ledger.events
    assert summarize(fresh, events, Trials.replay(events))["train_compute_s"] == 0.0
    assert trial_overheads(events) == []


def test_an_empty_search_has_a_summary(fresh):
    summary = summarize(fresh, [], Trials())
    assert summary["transductive"] is False
    assert summary["best_trial"] is None
    assert summary["trial_overhead_s"] is None
    assert summary["num_trials"] == 0


def test_leaderboard(run):
    spec, trials = run.spec(), run.trials()
    rows = leaderboard_rows(spec, trials)
    assert [row["number"] for row in rows] == [0, 2, 3, 1, 4]
    assert [row["status"] for row in rows][-1] == "unfinished"
    assert rows[0]["best_epoch"] == 2
    assert rows[0]["params"] == 7
    assert rows[1]["train_s"] == 4.5
    assert rows[2]["train_s"] is None
    write_leaderboard(run, spec, trials)
    header = (run.root / "leaderboard.csv").read_text().splitlines()[0].split(",")
    assert header == [*COLUMNS, *spec.space.fields]
    text = (run.root / "leaderboard.md").read_text()
    assert "published settings, our data, 2 of 100 epochs" in text
    assert "the same as trial 2" in text
