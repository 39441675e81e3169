"""How a trial stands is said in the same words everywhere, and in a notebook as text."""

import io

import pytest
from paged_run import recorded_run
from rich.console import Console

from raysearch.cli.terminal import show_outcome
from raysearch.ledger_events import BY_HAND
from raysearch.page.followed_run import run_document
from raysearch.reporting.live import LiveTable
from raysearch.reporting.run_tables import run_tables
from raysearch.searching.results import Run
from raysearch.trial_records import EpochRecord, TrialRecord, Trials
from raysearch.trial_words import standing

# Of the recorded search that was steered: one that was paused, and one that trained.
STOPPED = {2, 4}


@pytest.fixture
def run(tmp_path):
    return recorded_run(tmp_path / "run", "steered")


def test_what_was_stopped_by_hand_was_not_stopped_early():
    assert standing("pruned", BY_HAND) == BY_HAND
    assert standing("pruned", "stopped by asha") == standing("pruned") == "stopped early"
    assert standing("completed") == "completed"


def test_trials_are_counted_by_how_they_stand(run):
    trials = run.trials()
    assert {r.number for r in trials.records.values() if r.standing == BY_HAND} == STOPPED
    assert sum(trials.counts.values()) == len(trials.records)
    assert trials.counts[BY_HAND] == 2
    assert "2 stopped by hand" in repr(trials)


def test_the_terminal_counts_them(run):
    said, trials = io.StringIO(), run.trials()
    show_outcome(Console(file=said, width=100), run, run.spec(), trials)
    (counts,) = [line for line in said.getvalue().splitlines() if " trials: " in line]
    assert "2 stopped by hand" in counts
    assert "running" not in counts


def test_the_live_table_counts_them_and_its_lines_tell_them(run):
    plain = Console(file=io.StringIO(), width=80)
    trials = Trials(run.spec().search.objective)
    with LiveTable(run.spec(), plain) as live:
        for event in run.events():
            trials.apply(event)
            live.changed(trials, event)
    assert "trial 0004 stopped by hand after " in plain.file.getvalue()
    paper = Console(file=io.StringIO(), width=80)
    with LiveTable(run.spec(), Console(file=io.StringIO(), force_terminal=True)) as live:
        live.changed(trials, run.events()[-1])
        paper.print(live.table())
    assert "2 stopped by hand" in " ".join(paper.file.getvalue().split())


def test_the_leaderboard_and_the_page_name_them(run):
    found = Run(run.root)
    statuses = found.frame["status"]
    assert set(statuses.index[statuses == BY_HAND]) == STOPPED
    page = run_document(found).search
    assert {row.number for row in page.trials if row.status == BY_HAND} == STOPPED
    assert {span.number for span in page.spans if span.status == BY_HAND} == {4}


def test_a_query_has_the_ledgers_own_word(run):
    table = run_tables(run)["trials"].data.to_pylist()
    rows = {row["number"]: (row["status"], row["reason"]) for row in table}
    assert {number for number, row in rows.items() if row == ("pruned", BY_HAND)} == STOPPED


def test_a_notebook_shows_a_trial_with_its_settings(run):
    best = run.trials().ranked()[0]
    text = repr(best)
    assert text.startswith(f"TrialRecord({best.number:04d}: {best.standing}, best ")
    shown = best._repr_html_()
    assert all(f"<td>{name}</td>" in shown for name in best.config)
    assert f"at epoch {best.best_epoch}" in shown


def test_whatever_a_trial_holds_is_shown_as_text():
    config = {"<b>x</b>": "<script>alert(1)</script>", "rate": 0.00123456}
    record = TrialRecord("t", 3, config, 0.0, status="failed", reason="<i>no\nmemory</i>")
    record.epochs = {1: EpochRecord(1, 1, {"<u>": 0.5, "val_loss": None}, 1.0, 0.0)}
    record.best_epoch = 1
    assert repr(record) == "TrialRecord(0003: failed: <i>no memory</i>)"
    shown = record._repr_html_()
    assert not any(tag in shown for tag in ("<b>", "<script", "<i>", "<u>"))
    assert "<td>0.001235</td>" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
