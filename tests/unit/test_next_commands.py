"""The command that the end of a run offers can be pasted into a shell."""

import io
import shlex

import pytest
from fake_slots import FakeSearch, small_spec
from rich.console import Console

from raysearch.cli.terminal import show_outcome
from raysearch.run_folder import RunFolder


@pytest.mark.parametrize("folder", ["out dir [v1]", "it's", "$HOME", "(a) & b", "ü", "plain"])
def test_the_next_command_names_the_run_as_one_word(tmp_path, folder):
    run = RunFolder(tmp_path / folder / "r")
    spec = small_spec(search__trials=2)
    run.open(spec, resume=False)
    trials = FakeSearch(run.root, spec).run().trials
    said = io.StringIO()
    show_outcome(Console(file=said, width=60), run, spec, trials)
    line = next(line for line in said.getvalue().splitlines() if "raysearch evaluate" in line)
    assert shlex.split(line[line.index("raysearch evaluate") :]) == [
        "raysearch",
        "evaluate",
        str(run.root),
    ]
