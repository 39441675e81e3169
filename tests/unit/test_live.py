"""What the terminal shows: a table that fits 80 columns, or plain lines."""

import io

import pytest
from rich.console import Console

from raysearch.ledger import Event
from raysearch.reporting.live import LiveTable
from raysearch.spec import SearchSpec
from raysearch.trials import Trials


def events():
    metrics = {"val_uar": 0.25, "val_wa": 0.3, "val_macro_f1": 0.2, "train_loss": 1.5}
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


def show(console, **options):
    trials = Trials()
    with LiveTable(SearchSpec.load("emohrnet"), console, **options) as live:
        for event in events():
            trials.apply(event)
            live.changed(trials, event)
    return console.file.getvalue(), live.table()


def test_plain_lines_where_there_is_no_terminal():
    lines = show(Console(file=io.StringIO(), width=80))[0].splitlines()
    assert lines == [
        "trial 0000 published settings completed after 1 epochs  val UA 25.0%",
        "trial 0001 pruned after 1 epochs  val UA 20.0%  (best 25.0%, trial 0000)",
        "trial 0002 failed: NonFiniteLossError: epoch 1",
    ]


def test_quiet_says_nothing():
    assert show(Console(file=io.StringIO(), width=80), quiet=True)[0] == ""


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits(width):
    terminal = Console(file=io.StringIO(), width=width, force_terminal=True)
    _, table = show(terminal)
    page = Console(file=io.StringIO(), width=width, record=True)
    page.print(table)
    lines = page.export_text().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    assert any("1 completed, 1 pruned, 1 failed" in line for line in lines)
    running = next(line for line in lines if line.strip().startswith("0003"))
    assert "1/30" in running
    assert "25.0%" in running
