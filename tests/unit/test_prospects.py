"""How a forecast is worded, in the live table, the outcome and the summary."""

import io

import pytest
from rich.console import Console
from test_forecast import ENDS, SPEC, search

from raysearch.cli.terminal import show_outcome
from raysearch.forecast.gain import Gain
from raysearch.forecast.progress import HOUR_S, Outlook
from raysearch.ledger import Ledger
from raysearch.reporting.live import LiveTable
from raysearch.reporting.prospects import facts, in_full, in_short
from raysearch.reporting.summary import summarize
from raysearch.run_folder import RunFolder
from raysearch.trial_records import Trials

HOUR, SHORT = Outlook(HOUR_S, Gain(0.0, 0.0184)), Outlook(480.0, Gain(0.0, 0.0184))


def test_the_live_line_is_short():
    assert in_short(HOUR, "val_uar", "val UA") == "next core-hour: +0.0 to +1.8 val UA (80%)"
    line = in_short(SHORT, "val_uar_mean3", "3-epoch val UA")
    assert line == "as long again (8 core-min): +0.0 to +1.8 3-epoch val UA (80%)"
    seconds = in_short(Outlook(50.0, Gain(0.0, 0.0)), "val_uar", "val UA")
    assert seconds == "as long again (50 core-s): +0.0 to +0.0 val UA (80%)"


def test_a_loss_falls():
    line = in_short(HOUR, "val_loss", "val loss")
    assert line == "next core-hour: val loss 0.000 to 0.018 lower (80%)"
    assert "the best validation loss falls by 0.000 to 0.018 in another core-hour" in in_full(
        HOUR, "val_loss", "validation loss"
    )


def test_the_outcome_is_a_sentence_of_the_validation_value():
    assert in_full(HOUR, "val_uar", "validation UA") == (
        "forecast: the best validation UA rises by 0.0 to 1.8 points in another core-hour; "
        "80% of replayed searches stayed within"
    )
    short = in_full(SHORT, "val_uar", "validation UA")
    assert "in 8 core-min more (a core-hour is too far ahead to tell)" in short
    assert in_full(None, "val_uar", "validation UA") == (
        "forecast: none of what more trials would bring: it takes 4 trials, the "
        "epochs of 2 whole runs, and a built-in stop rule"
    )


def test_the_summary_has_it_in_the_objectives_unit():
    assert facts(HOUR) == {"core_s": 3600.0, "gain_low": 0.0, "gain_high": 0.0184, "level": 0.8}
    assert facts(None) is None


# ---- where it is shown -----------------------------------------------------------------------


def drawn(events, past=tuple):
    """The lines of the forecast after each event."""
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    trials = Trials(SPEC.search.objective)
    for event in past():
        trials.apply(event)
    with LiveTable(SPEC, console, past=past) as live:
        for event in events:
            trials.apply(event)
            live.changed(trials, event)
            paper = Console(file=io.StringIO(), width=80)
            paper.print(live.table())
            yield [line for line in paper.file.getvalue().splitlines() if "(80%)" in line]


@pytest.fixture
def at_once(monkeypatch):
    """What may be left out to save time is not, and a terminal can be drawn on."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("raysearch.reporting.live.Sparing", lambda: lambda act: act())


@pytest.mark.usefixtures("at_once")
def test_the_live_table_has_a_line_as_soon_as_there_is_enough():
    pages = list(drawn(search()))
    # The fourth trial's first value comes with the 14th event.
    assert [len(page) for page in pages] == [0] * 13 + [1] * 7
    assert pages[-1][0].startswith("as long again (3 core-min): +0.0 to +")
    assert pages[-1][0].endswith("val UA (80%)")


@pytest.mark.usefixtures("at_once")
def test_a_search_that_goes_on_has_what_was_before():
    events = list(search())
    once = list(drawn(events))[-1][0]
    # The ledger holds the first new event already when the table is told of it.
    again = list(drawn(events[16:], past=lambda: events[:16]))
    assert [len(page) for page in again] == [0, 1, 1, 1]
    assert again[-1][0] == once


def test_plain_lines_have_none():
    console = Console(file=io.StringIO(), width=80)
    trials = Trials(SPEC.search.objective)
    with LiveTable(SPEC, console) as live:
        for event in search():
            trials.apply(event)
            live.changed(trials, event)
    text = console.file.getvalue()
    assert len(text.splitlines()) == len(ENDS)
    assert "core-min" not in text


@pytest.fixture
def run(tmp_path):
    """A finished search, on the disk."""
    folder = RunFolder(tmp_path / "r")
    folder.open(SPEC, resume=False)
    ledger = Ledger.open(folder.ledger_file, 1)
    for event in search():
        told = {"trial": event.trial, "number": event.number, "attempt": 1, "slot": event.slot}
        ledger.append(event.event, **told, **event.data)
    ledger.close()
    return folder


def test_outcome_and_summary_tell_it(run):
    events, trials = run.events(), run.trials()
    said = io.StringIO()
    show_outcome(Console(file=said, width=200), run, SPEC, trials)
    (line,) = [line for line in said.getvalue().splitlines() if line.startswith("forecast:")]
    assert "forecast: the best " in line
    assert "points in 20 core-s more" in line
    told = summarize(run, events, trials)["forecast"]
    assert told["core_s"] == pytest.approx(20, abs=2)
    assert told["gain_low"] == 0 < told["gain_high"]
