"""The bar of feature sets: each has its name, at every width; a line each where it cannot be."""

import io
import re

import pytest
from rich.console import Console

from raysearch.cli.progress_bar import CountBar
from raysearch.cli.terminal import ProgressLine
from raysearch.features.log_mel import LogMelConfig
from raysearch.prerequisites import set_name

SETS = [("mel", LogMelConfig(n_mels=n_mels, hop_ms=hop)) for n_mels in (20, 40) for hop in (10, 20)]
NAMES = [set_name(stream, config, SETS) for stream, config in SETS]


def drawn(width, what, done, total, encoding="utf-8"):
    paper = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    console = Console(file=paper, width=width, force_terminal=True, color_system=None)
    bar = CountBar(console, what, total)
    bar.count(done, total)
    for one in bar.get_renderables():
        console.print(one)
    return paper.buffer.getvalue().decode(encoding).splitlines()


def test_four_feature_sets_have_four_names():
    assert len(set(NAMES)) == 4
    assert NAMES[0] == "mel features (log_mel, hop_ms 10.0, n_mels 20)"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("width", [60, 80, 160, 200])
def test_a_name_stands_whole_beside_its_bar_or_above_it(width, encoding):
    for name in NAMES:
        lines = drawn(width, name, 160, 320, encoding)
        assert name in lines[0]
        assert "160/320" in lines[-1]
        assert max(len(line.rstrip()) for line in lines) <= width
        assert len(lines) == (2 if width == 60 else 1)
        filled = "-" if encoding == "ascii" else "━"
        assert lines[-1].count(filled) >= 7


def test_a_total_and_a_name_are_those_of_the_set_that_is_counted():
    paper = io.StringIO()
    console = Console(file=paper, width=80, force_terminal=True, color_system=None)
    with ProgressLine(console) as line:
        line.update("one", 1, 10)
        line.update("two", 1, 20)
        line.update("two", 20, 20)
    shown = paper.getvalue()
    assert "two: 20 done" in shown
    assert "1/10" in shown.partition("two")[0]
    assert "1/20" in shown.partition("two")[2]
    assert not re.search(r"one [^\n]*20|two [^\n]*10", shown)


def test_where_there_is_no_terminal_each_set_has_a_line_at_its_end():
    paper = io.StringIO()
    with ProgressLine(Console(file=paper, width=80)) as line:
        for name in NAMES:
            for done in (0, 100, 320):
                line.update(name, done, 320)
    assert paper.getvalue().splitlines() == [f"{name}: 320 done" for name in NAMES]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_sentence_breaks_between_words_and_what_is_laid_out_stays(terminal):
    paper = io.StringIO()
    console = Console(file=paper, width=24, force_terminal=terminal, color_system=None)
    page = "page: http://127.0.0.1:9/?token=secret\n      later: raysearch report results/x"
    with ProgressLine(console) as line:
        line.say("features: three sets of 320 utterances")
        line.say(page)
    sentence = "features: three sets of\n320 utterances" if terminal else None
    assert paper.getvalue() == f"{sentence or 'features: three sets of 320 utterances'}\n{page}\n"
