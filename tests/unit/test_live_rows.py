"""What the live table shows of epochs, time, compute and slots, at every width and in ASCII."""

import io

import pytest
from rich.console import Console

from raysearch.ledger import Event
from raysearch.reporting.live import LiveTable
from raysearch.reporting.live_rows import flowed
from raysearch.reporting.slot_board import SlotBoard
from raysearch.spec import SearchSpec
from raysearch.trial_records import Trials
from raysearch.tuning.budgets import Account
from raysearch.workers.slot_news import SlotNews

CONFIG = {"training.learning_rate": 1.0e-3}
NEWS = (
    SlotNews(0, "training", number=4),
    SlotNews(1, "training", number=5),
    SlotNews(2, "starting"),
    SlotNews(3, "training", number=6),
    SlotNews(3, "leaving", "its node is being taken away"),
    SlotNews(4, "closed", "[Errno 28] No space left on device"),
    SlotNews(None, "waiting", "2 more slots wait for room in the cluster"),
)


@pytest.fixture(scope="module")
def spec():
    return SearchSpec.load("emohrnet")


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")


def events(num_ended=4, num_running=3):
    """Trials that have ended after 10 epochs of 30, then some that have trained 15."""
    seq = iter(range(1, 1000))

    def event(kind, number, **data):
        return Event(kind, next(seq), f"t{number}", number, 1, 1, 1.0, 0, data)

    metrics = {"val_uar_mean3": 0.5, "train_loss": 1.5}
    for number in range(num_ended + num_running):
        ended = number < num_ended
        yield event("started", number, config=CONFIG)
        for epoch in range(1, 11 if ended else 16):
            yield event("epoch", number, epoch=epoch, metrics=metrics, train_s=1.0)
        if ended:
            yield event("pruned", number, reason="stopped by asha")


def drawn(spec, width=80, height=40, news=(), account=None, encoding="utf-8", told=None):
    """The lines of the table, and those that its board tells of."""
    paper = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    console = Console(file=paper, width=width, height=height, force_terminal=True)
    trials, board = Trials("val_uar_mean3"), SlotBoard()
    for one in news:
        board.take(one)
    table = LiveTable(spec, console, board=board)
    for event in told or events():
        trials.apply(event)
        table.changed(trials, event)
    if account is not None:
        table.spent(account)
    shown = table.table()
    table.close()
    sheet = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    Console(file=sheet, width=width, height=height, color_system=None).print(shown)
    lines = sheet.buffer.getvalue().decode(encoding).splitlines()
    return [line.rstrip() for line in lines]


@pytest.mark.parametrize("width", [60, 80, 160, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_all_of_it_fits_and_nothing_is_cut(spec, width, encoding):
    account = Account(125, 480, left_s=400, budget="core budget")
    lines = drawn(spec, width, news=NEWS, account=account, encoding=encoding)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= width
    assert len(lines) < 40
    assert "…" not in text
    assert "?" not in text
    assert "core time 2:05 of 8:00" in text
    assert text.count("15/30") == 3
    words = " ".join(text.split())
    for why in (
        "2 its workers start (0 s)",
        "3 closes when its trial has published what it holds: its node is being taken away",
        "4 closed: [Errno 28] No space left on device",
        "- 2 more slots wait for room in the cluster",
    ):
        assert why in words
    rows = [line.split()[:3] for line in lines if "15/30" in line]
    assert rows == [["0004", "0", "15/30"], ["0005", "1", "15/30"], ["0006", "3", "15/30"]]


@pytest.mark.parametrize(("encoding", "full", "empty"), [("utf-8", "━", "─"), ("ascii", "#", ".")])
def test_a_bar_is_as_full_as_epochs_are_done(spec, encoding, full, empty):
    for width in (80, 160, 200):
        lines = drawn(spec, width, encoding=encoding)
        (bar,) = {line.split()[3] for line in lines if "15/30" in line}
        assert len(bar) == 40 if width > 80 else 10 <= len(bar) < 40
        assert bar == full * (len(bar) // 2) + empty * (len(bar) - len(bar) // 2)


def test_where_there_is_no_room_for_a_bar_there_are_figures_alone(spec):
    for width, bars in ((60, 1), (52, 0)):
        (cells,) = {tuple(line.split()[2:]) for line in drawn(spec, width) if "15/30" in line}
        assert (cells[0], *cells[1 + bars :]) == ("15/30", "50.0%", "50.0%", "1.0e-03", "1.500")


def test_a_trial_has_its_slot_from_its_first_moment_and_waits_when_it_has_lost_it(spec):
    lost = Event("resumed", 900, "t5", 5, 2, 1, 1.0, None, {"epoch": 0})
    new = Event("started", 901, "t7", 7, 1, 1, 1.0, None, {"config": CONFIG})
    begun = Event("started", 902, "t8", 8, 1, 1, 1.0, None, {"config": CONFIG})
    news = [SlotNews(0, "training", number=4), SlotNews(1, "training", number=7)]
    lines = drawn(spec, news=news, told=[*events(), lost, new, begun])
    slots = {
        cells[0]: cells[1] for line in lines if (cells := line.split())[2:3] != [] and "/30" in line
    }
    assert slots == {"0004": "0", "0005": "waits", "0006": "waits", "0007": "1", "0008": "-"}


def test_nothing_is_said_of_slots_of_which_nothing_was_heard(spec):
    lines = drawn(spec)
    assert "slots" not in [line.strip() for line in lines]
    assert not any("core time" in line for line in lines)


def test_slots_beyond_the_first_are_counted(spec):
    news = [SlotNews(n, "closed", f"reason {n}") for n in range(9)]
    lines = drawn(spec, news=news)
    assert "and 5 more" in lines
    assert sum("closed: reason" in line for line in lines) == 4


def test_a_long_reason_takes_two_lines(spec):
    lines = drawn(spec, news=[SlotNews(0, "closed", "a word and " * 40)])
    at = next(n for n, line in enumerate(lines) if "closed: a word" in line)
    assert lines[at + 1].endswith(" ...")
    assert lines[at + 2] == "running"
    assert max(map(len, lines)) <= 80


def test_parts_stand_side_by_side_as_far_as_they_fit():
    assert [str(line) for line in flowed(["one", "", "two", "three"], 9)] == ["one   two", "three"]
    assert flowed([""], 80) == []
