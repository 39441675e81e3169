"""Sentences on a console."""

import io

import pytest
from rich.console import Console

from raysearch.reporting.sentences import print_sentence

PATH = "/a/path/that/is/longer/than/a-line/of/thirty/cells"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_sentence_breaks_between_words_on_a_terminal_alone(terminal):
    out = io.StringIO()
    console = Console(file=out, width=30, force_terminal=terminal, color_system=None)
    text = f"final model: [v1] refit: 5 nets :ok: of trial 0005, in {PATH} and so on"
    print_sentence(console, text)
    lines = out.getvalue().splitlines()
    assert " ".join(lines) == text
    assert PATH in out.getvalue()
    if terminal:
        assert all(len(line) <= 30 for line in lines if line != PATH)
    else:
        assert len(lines) == 1
