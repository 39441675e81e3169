"""The leaderboard: exact settings, honest words, and tables that no reason can break."""

import csv
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysearch.files import write_text
from raysearch.ledger import Event
from raysearch.reporting.leaderboard import leaderboard_rows, write_leaderboard
from raysearch.run_folder import RunFolder
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials

METRICS = {"val_uar": 0.5, "val_wa": 0.6, "val_macro_f1": 0.123456789, "val_loss": 1.5}
SPEC = SearchSpec.load("emohrnet-gpu")


def trial(number, end="completed", *, config=None, metrics=METRICS, published=False, **data):
    """The events of a trial of one epoch; none if ``metrics`` is None."""
    started = {"config": config or {}, "published": published}
    told = [("started", started)]
    if metrics is not None:
        told.append(("epoch", {"epoch": 1, "metrics": metrics, "train_s": 1.0}))
    told.append((end, data))
    return [
        Event(kind, 10 * number + seq, f"t{number}", number, 1, 1, 1.0, 0, content)
        for seq, (kind, content) in enumerate(told)
    ]


def board(folder, *trials, objective="val_uar", spec=SPEC):
    events = [event for one in trials for event in one]
    write_leaderboard(RunFolder(folder), spec, Trials.replay(events, objective))
    with (folder / "leaderboard.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return rows, (folder / "leaderboard.md").read_text(encoding="utf-8")


def table(text):
    """The cells of a GitHub table, head and rule left out."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1] for line in lines][2:]


@settings(deadline=None, max_examples=30)
@given(decay=st.floats(1.0e-6, 1.0e-2), rate=st.floats(1.0e-4, 5.0e-3))
def test_settings_are_written_exactly(tmp_path_factory, decay, rate):
    config = {"training.weight_decay": decay, "training.learning_rate": rate}
    (row,), _ = board(tmp_path_factory.mktemp("run"), trial(0, config=config))
    assert {key: float(row[key]) for key in config} == config
    assert row["val_macro_f1"] == "0.123457"


def test_a_field_that_is_not_set_has_its_base_value(tmp_path):
    (row,), _ = board(tmp_path, trial(0, config={"model.width": 12}))
    assert row["model.width"] == "12"
    assert row["model.dropout"] == str(SPEC.model.dropout)


@pytest.mark.parametrize("reason", ["a|b", "two\nlines", "a \\| b\r\n| c", "<!-- x", "\udcff\x1b"])
def test_a_reason_stays_in_its_cell(tmp_path, reason):
    _, text = board(tmp_path, trial(0, "failed", reason=reason), trial(1))
    rows = table(text)
    assert [len(row) for row in rows] == [10, 10]
    assert "<!--" not in text


def test_a_refused_setting_still_has_a_row(tmp_path):
    refused = trial(0, "failed", config={"model.width": -1}, metrics=None, reason="refused")
    (row,), text = board(tmp_path, refused)
    assert (row["status"], row["model.width"], row["val_uar"]) == ("failed", "-1", "")
    assert "failed: refused" in text


def test_published_settings_that_failed_say_why(tmp_path):
    _, text = board(tmp_path, trial(0, "failed", metrics=None, published=True, reason="no memory"))
    assert table(text)[0][-1].strip() == "**published settings** failed: no memory"


def test_a_search_for_the_loss_shows_it_lowest_first(tmp_path):
    trials = [trial(n, metrics={**METRICS, "val_loss": loss}) for n, loss in enumerate((1.5, 0.5))]
    rows, text = board(tmp_path, *trials, objective="val_loss")
    assert [row["number"] for row in rows] == ["1", "0"]
    assert [row[6].strip() for row in table(text)] == ["0.500", "1.500"]
    assert "By val loss." in text
    assert "val loss" not in board(tmp_path, *trials)[1], "only where it ranks"


def test_equal_names_of_fields_are_told_apart(tmp_path):
    config = {"model.dropout": 0.25, "training.dropout": 0.5, "model.width": 8}
    _, text = board(tmp_path, trial(0, config=config))
    assert table(text)[0][-1].strip() == "model.dropout 0.25, training.dropout 0.5, width 8"


def test_ties_and_missing_values_have_a_fixed_order(tmp_path):
    nothing = dict.fromkeys(METRICS)
    trials = [trial(0, metrics=nothing), trial(1), trial(2), trial(3, "pruned"), trial(4)]
    rows, _ = board(tmp_path, *trials)
    assert [row["number"] for row in rows] == ["1", "2", "4", "3", "0"]
    assert rows[-1]["val_uar"] == rows[-1]["best_epoch"] == ""


def test_nobody_won_yet(tmp_path):
    rows, text = board(tmp_path)
    assert rows == []
    assert table(text) == []
    assert leaderboard_rows(SPEC, Trials()) == []


def test_a_broken_write_leaves_the_former_board(tmp_path, monkeypatch):
    board(tmp_path, trial(0))
    before = (tmp_path / "leaderboard.csv").read_bytes()

    def interrupted(source, target):
        raise OSError(28, "the disk is full")

    monkeypatch.setattr("raysearch.files.os.replace", interrupted)
    with pytest.raises(OSError, match="full"):
        board(tmp_path, trial(0), trial(1))
    assert (tmp_path / "leaderboard.csv").read_bytes() == before
    monkeypatch.undo()
    write_text(tmp_path / "leaderboard.csv", "new")
    assert (tmp_path / "leaderboard.csv").read_text() == "new"
