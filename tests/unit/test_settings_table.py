"""The winner's settings: what differs from the space's own comes first."""

import io

import pytest
from fake_slots import FakeSearch, small_spec
from rich.console import Console

from raysearch.cli.settings_table import settings_table
from raysearch.cli.tables import print_table
from raysearch.cli.terminal import show_outcome
from raysearch.reporting.wording import counted
from raysearch.run_folder import RunFolder

OWN = {"model.width": 16, "training.learning_rate": 0.002, "model.kind": "a", "model.depth": 2}
CONFIG = {
    "model.width": 16,
    "training.learning_rate": 0.00123456,
    "model.kind": "[b]",
    "model.depth": 2,
    "model.new": None,
}


def drawn(width):
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as shown:
        print_table(console, settings_table(CONFIG, OWN))
    return shown.get().splitlines()


def test_changed_fields_come_first_with_what_they_were():
    head, *rows = [" ".join(line.split()) for line in drawn(100)]
    assert head == "setting value"
    assert rows == [
        "training.learning_rate 0.00123 (the space's own: 0.002)",
        "model.kind [b] (the space's own: a)",
        "model.width 16",
        "model.depth 2",
        "model.new None",
    ]


@pytest.mark.parametrize("width", [60, 80, 160, 200])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(map(len, drawn(width))) <= width


def test_the_outcome_has_them_in_a_table_and_no_trailing_comma(tmp_path):
    spec = small_spec(search__trials=3)
    run = RunFolder(tmp_path / "r")
    run.open(spec, resume=False)
    trials = FakeSearch(run.root, spec).run().trials
    said = io.StringIO()
    show_outcome(Console(file=said, width=60), run, spec, trials)
    lines = [line.split() for line in said.getvalue().splitlines()]
    best = trials.ranked()[0]
    begin = lines.index(["setting", "value"])
    assert {line[0] for line in lines[begin + 1 : begin + 1 + len(best.config)]} == set(best.config)
    assert "settings:" not in said.getvalue()


def test_what_is_quiet_stays_quiet(capsys):
    print_table(Console(quiet=True), settings_table(CONFIG, OWN))
    assert capsys.readouterr().out == ""


def test_one_and_many():
    assert [counted(n, "epoch") for n in (0, 1, 2)] == ["0 epochs", "1 epoch", "2 epochs"]
