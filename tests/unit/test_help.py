"""``--help`` teaches: every verb has commands to paste, which its own parser takes."""

import argparse
import shlex

import pytest

from raysearch.cli import main
from raysearch.cli.help_text import HelpFormatter, add_examples
from raysearch.cli.leak_study_options import LeakStudyOptions
from raysearch.cli.run_options import RunOptions
from raysearch.cli.sending_options import SubmitOptions
from raysearch.cli.verb_table import VERBS
from raysearch.spec import SearchSpec


def parser_of(name):
    parser = argparse.ArgumentParser(prog=f"raysearch {name}")
    VERBS[name].load_options().add(parser)
    return parser


def lines(parser):
    """What is indented at the end of its help."""
    return [line for line in (parser.epilog or "").splitlines() if line.startswith("  ")]


def commands(parser):
    """The arguments of each ``raysearch`` in the examples, as a shell would hand them over."""
    text = "\n".join(line.strip() for line in lines(parser)).replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        words = shlex.split(line.removeprefix(". <(").rstrip(")"), comments=True)
        if "raysearch" in words:
            rest = words[words.index("raysearch") + 1 :]
            ends = (n for n, word in enumerate(rest) if word in ("|", ">"))
            found.append(rest[: next(ends, len(rest))])
    return found


def test_a_shell_s_way_with_an_example(tmp_path):
    parser = argparse.ArgumentParser()
    add_examples(
        parser,
        "examples:\n  raysearch a 'b | c' --d  # e\n  ls | raysearch f - > g\n"
        "  . <(raysearch h)\n  raysearch i \\\n    j\n  curl k\n\nraysearch l\n",
    )
    assert commands(parser) == [["a", "b | c", "--d"], ["f", "-"], ["h"], ["i", "j"]]


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_has_examples_that_its_parser_takes(name):
    parser = parser_of(name)
    given = commands(parser)
    assert given, f"{name}: add_examples(parser, EXAMPLES) is missing"
    for verb, *arguments in given:
        assert verb == name
        parser.parse_args(arguments)


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("width", [60, 80, 160])
def test_examples_are_shown_as_they_are_typed(name, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    parser = parser_of(name)
    shown = parser.format_help().splitlines()
    given = lines(parser)
    assert [line for line in shown if line in given] == given
    assert max(map(len, given)) <= 80


@pytest.mark.parametrize(
    ("name", "options"),
    [("run", RunOptions), ("submit", SubmitOptions), ("leak-study", LeakStudyOptions)],
)
def test_the_settings_of_examples_exist(name, options):
    parser = parser_of(name)
    loaded = 0
    for _, *arguments in commands(parser):
        parsed = parser.parse_args(arguments)
        if parsed.space not in (None, "auto"):
            given = options.of(parsed)
            settings = given.settings if name == "leak-study" else given.search.settings
            assert SearchSpec.load(parsed.space, settings).name == parsed.space
            loaded += 1
    assert loaded > 0


def test_the_examples_of_the_whole_command(capsys):
    with pytest.raises(SystemExit):
        main.parsed(["--help"])
    assert "\n  raysearch run --space emohrnet " in capsys.readouterr().out
    for words in shlex.split(main.EXAMPLES, comments=True), ["raysearch", "run"]:
        assert words[words.index("raysearch") + 1] in VERBS


def test_sentences_are_filled_and_indented_lines_are_not():
    parser = argparse.ArgumentParser(formatter_class=HelpFormatter)
    parser.description = "One sentence\nin two lines.\n\nAnother one."
    parser.epilog = f"examples:\n  {'a ' * 60}b\n\n" + "word " * 30
    shown = parser.format_help()
    assert "One sentence in two lines.\n\nAnother one.\n" in shown
    assert f"examples:\n  {'a ' * 60}b\n\nword" in shown
    assert max(len(line) for line in shown.splitlines() if line.startswith("word")) <= 80


@pytest.mark.parametrize("name", VERBS)
def test_help_has_no_marks_of_the_sources(name, capsys):
    with pytest.raises(SystemExit):
        main.parsed([name, "--help"])
    assert "``" not in capsys.readouterr().out
