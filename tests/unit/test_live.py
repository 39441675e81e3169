"""What the terminal shows: a table that fits 80 columns, or plain lines."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from raysearch.ledger import Event
from raysearch.reporting.live import LiveTable
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    """Whatever terminal runs the tests, those that they make can be drawn on."""
    monkeypatch.setenv("TERM", "xterm")


def events():
    metrics = {"val_uar": 0.25, "val_wa": 0.3, "val_macro_f1": 0.2, "val_loss": 1.25}
    metrics["train_loss"] = 1.5
    config = {"training.learning_rate": 1.0e-3}
    seq = iter(range(1, 100))

    def event(kind, number, **data):
        return Event(kind, next(seq), f"t{number}", number, 1, 1, 1.0, 0, data)

    yield event("started", 0, config=config, published=True)
    yield event("epoch", 0, epoch=1, metrics=metrics, train_s=1.0)
    yield event("completed", 0)
    yield event("started", 1, config=config)
    yield event("epoch", 1, epoch=1, metrics={**metrics, "val_uar": 0.2}, train_s=1.0)
    yield event("pruned", 1, reason="stopped by asha")
    yield event("started", 2, config=config)
    yield event("failed", 2, reason="NonFiniteLossError: epoch 1")
    yield event("started", 3, config=config)
    yield event("epoch", 3, epoch=1, metrics=metrics, train_s=1.0)


def show(console, told=None, objective="val_uar", **options):
    trials = Trials(objective)
    spec = SearchSpec.load("emohrnet", [("search.objective", objective)])
    with LiveTable(spec, console, **options) as live:
        for event in told or events():
            trials.apply(event)
            live.changed(trials, event)
    return console.file.getvalue(), live.table()


def plain():
    return Console(file=io.StringIO(), width=80)


def page(width=80, told=None, **options):
    """The live table's lines without their trailing blanks."""
    terminal = Console(file=io.StringIO(), width=width, force_terminal=True)
    _, table = show(terminal, told, **options)
    return drawn(table, width)


def drawn(table, width=80):
    paper = Console(file=io.StringIO(), width=width, record=True)
    paper.print(table)
    return [line.rstrip() for line in paper.export_text().splitlines()]


def one_trial(*events, config=None, **started):
    """A trial 0 that starts and lives through ``(event, data)``."""
    first = ("started", {"config": config or {}, **started})
    return [
        Event(kind, seq, "t0", 0, 1, 1, 1.0, 0, data)
        for seq, (kind, data) in enumerate([first, *events], start=1)
    ]


def epoch(number, **metrics):
    return ("epoch", {"epoch": number, "metrics": metrics, "train_s": 1.0})


def test_plain_lines_where_there_is_no_terminal():
    lines = show(plain())[0].splitlines()
    assert lines == [
        "trial 0000, the paper's published settings, completed after 1 epoch  val UA 25.0%",
        "trial 0001 stopped early after 1 epoch  val UA 20.0%  (best 25.0%, trial 0000)",
        "trial 0002 failed: NonFiniteLossError: epoch 1",
    ]


def paused(*more):
    """A trial that pauses, and what comes then."""
    first = [epoch(1, val_uar=0.5), ("paused", {"epoch": 1})]
    return [*one_trial(*first), *more]


def test_a_pause_and_a_promotion_are_told_and_their_end_is_not_told_again():
    told = paused(
        Event("resumed", 4, "t0", 0, 2, 1, 1.0, None, {"epoch": 1, "promoted": True}),
        Event("epoch", 5, "t0", 0, 2, 1, 1.0, 0, epoch(2, val_uar=0.6)[1]),
        Event("paused", 6, "t0", 0, 2, 1, 1.0, 0, {"epoch": 2}),
        Event("pruned", 7, "t0", 0, 2, 1, 1.0, None, {"reason": "x"}),
    )
    assert show(plain(), told)[0].splitlines() == [
        "trial 0000 paused after 1 epoch  val UA 50.0%",
        "trial 0000 goes on after epoch 1, promoted",
        "trial 0000 paused after 2 epochs  val UA 60.0%",
    ]


def test_a_paused_trial_is_counted_and_among_the_best_so_far():
    table = page(told=paused())
    assert "1 paused" in table[0]
    assert [line.split()[:2] for line in table if "0000" in line] == [["0000", "paused"]]


def test_quiet_says_nothing():
    assert show(plain(), quiet=True)[0] == ""


def test_a_dumb_terminal_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    assert "trial 0001 stopped early after 1 epoch" in show(console)[0]


@pytest.mark.parametrize("reason", ["no weights in [/data/x]", "stream [mel] is :warning: [b]x"])
def test_reasons_are_printed_as_they_are(reason):
    console = plain()
    show(console, one_trial(("failed", {"reason": reason})))
    LiveTable(SearchSpec.load("emohrnet"), console).say(reason)
    assert console.file.getvalue().splitlines() == [f"trial 0000 failed: {reason}", reason]


def test_a_reason_is_one_line_that_any_file_takes():
    text, _ = show(plain(), one_trial(("failed", {"reason": "bad\nname \udcff \x1b[2J"})))
    assert text == "trial 0000 failed: bad name ? ?[2J\n"


def test_published_settings_that_failed_are_called_so():
    told = one_trial(("failed", {"reason": "x"}), published=True)
    assert show(plain(), told)[0] == "trial 0000, the paper's published settings, failed: x\n"


def test_a_loss_is_the_figure_where_it_is_the_objective():
    lines = show(plain(), objective="val_loss")[0].splitlines()
    assert lines[0].startswith("trial 0000, the paper's published settings, completed after 1 ")
    assert lines[0].endswith("  val loss 1.250")
    assert lines[1].endswith("val loss 1.250  (best 1.250, trial 0000)")
    table = page(objective="val_loss")
    assert sum("val loss" in line for line in table) == 2
    assert not any("val UA" in line or "%" in line for line in table)


def test_a_loss_of_zero_is_a_figure_and_none_is_a_dash():
    assert page(told=one_trial(epoch(1, val_uar=0.5, train_loss=0.0)))[3].endswith("0.000")
    assert page(told=one_trial(epoch(1, val_uar=0.5, train_loss=None)))[3].endswith(" -")


def test_repetitions_do_not_fill_the_table():
    end = Event("completed", 3, "t0", 0, 1, 1, 1.0, 0, {})
    again = [
        Event("started", 4, "t0", 1, 1, 1, 1.0, None, {"config": {}}),
        Event("completed", 5, "t0", 1, 1, 1, 1.0, None, {"copied_from": 0}),
    ]
    table = page(told=[*one_trial(epoch(1, val_uar=0.5)), end, *again])
    assert "2 completed" in table[0]
    assert [line.split()[0] for line in table[1:] if "completed" in line] == ["0000"]


def test_published_is_explained_where_a_trial_is_called_so():
    completed = one_trial(epoch(1, val_uar=0.5), ("completed", {}))
    assert "published" not in "".join(page(told=completed))
    with_paper = one_trial(epoch(1, val_uar=0.5), ("completed", {}), published=True)
    assert page(told=with_paper)[-1].startswith(" published: ")


def test_many_counts_take_two_lines_and_nothing_is_cut():
    told, ends = [], ("completed", "pruned", "failed", "paused")
    for number in range(40):
        events = one_trial(epoch(1, val_uar=0.5), (ends[number % 4], {"epoch": 1, "reason": "x"}))
        by_hand = {"reason": "stopped by hand"} if number % 8 == 1 else {}
        for event in events:
            data = {**event.data, **(by_hand if event.event == "pruned" else {})}
            seq = event.seq + 10 * number
            told.append(replace(event, seq=seq, trial=f"t{number}", number=number, data=data))
    lines = page(60, told=told)
    assert max(map(len, lines)) <= 60
    assert "10 completed, 5 stopped early, 5 stopped by hand, 10 failed, 10 paused" in " ".join(
        " ".join(lines[:3]).split()
    )


def test_a_drawn_table_does_not_read_the_drivers_trials():
    trials, console = Trials(), Console(file=io.StringIO(), width=80, force_terminal=True)
    with LiveTable(SearchSpec.load("emohrnet"), console) as live:
        for event in events():
            trials.apply(event)
            live.changed(trials, event)
        before = drawn(live.table())[1:]  # the first line holds the clock
        trials.records = None  # as far from readable as a dictionary that is changing
        assert drawn(live.table())[1:] == before


def test_how_many_trials_there_will_be_is_not_said_where_nobody_knows():
    assert page()[0].startswith("4 of ")
    assert page(counted=False)[0].startswith("4 trials  1 completed")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits(width):
    lines = page(width)
    assert max(len(line) for line in lines) <= width
    assert not any("\N{HORIZONTAL ELLIPSIS}" in line for line in lines), "nothing is cut"
    assert "1 completed, 1 stopped early, 1 failed" in lines[0]
    running = next(line for line in lines if line.strip().startswith("0003"))
    assert "1/30" in running
    assert "25.0%" in running
    assert any(line.split()[:3] == ["0000", "published", "25.0%"] for line in lines)
    assert lines[-1].strip() == "published: the paper's settings, run here"


@pytest.mark.parametrize("width", [60, 70, 80, 100, 160, 200])
@pytest.mark.parametrize("normalise", ["train_bin", "speaker"])
def test_nothing_is_cut_from_60_to_200_columns(width, normalise):
    settings = [("search.objective", "val_uar_mean3"), ("training.normalise", normalise)]
    console = Console(file=io.StringIO(), width=width, height=40, force_terminal=True)
    spec, trials = SearchSpec.load("cnn", settings), Trials("val_uar_mean3")
    with LiveTable(spec, console) as live:
        for event in events():
            data = dict(event.data)
            if "metrics" in data:
                data["metrics"] = {**data["metrics"], "val_uar_mean3": 0.987654}
            told = replace(event, data=data)
            trials.apply(told)
            live.changed(trials, told)
        lines = drawn(live.table(), width)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= width
    assert "…" not in text
    assert "98.8%" in text
    assert ("(transductive)" in text) is (normalise == "speaker")


def test_more_trials_than_lines_are_counted():
    config = {"training.learning_rate": 1.0e-3}
    started = [
        Event("started", n + 1, f"t{n}", n, 1, 1, 1.0, n, {"config": config}) for n in range(30)
    ]
    terminal = Console(file=io.StringIO(), width=80, height=24, force_terminal=True)
    _, table = show(terminal, started)
    lines = drawn(table)
    (last,) = [line.split() for line in lines if line.startswith("  0011")]
    assert last == ["0011", "11", "0/30", "─" * len(last[3]), "-", "-", "1.0e-03", "-"]
    assert any(line.startswith("and 18 more") for line in lines)
    assert len(lines) < 24


def test_no_colour_where_none_is_wanted(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Console(file=io.StringIO(), width=80, force_terminal=True)
    told, _ = show(terminal)
    assert "best so far" in told
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", told)


def test_a_pipe_gets_lines_without_any_escape():
    told, _ = show(plain())
    assert "trial 0001 stopped early after 1 epoch" in told
    assert "\x1b" not in told


def test_nothing_is_drawn_of_running_trials_while_the_final_model_learns():
    end = Event("completed", 3, "t0", 0, 1, 1, 1.0, 0, {})
    lines = page(told=[*one_trial(epoch(1, val_uar=0.5)), end])
    assert "running" not in lines
    assert "best so far" in lines
