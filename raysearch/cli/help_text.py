"""How a verb's help is written: sentences as wide as the terminal, then commands to paste."""

import argparse
import textwrap
from collections.abc import Iterator
from itertools import groupby

__all__ = ["HelpFormatter", "add_examples"]


class HelpFormatter(argparse.HelpFormatter):
    """Fills each paragraph to the terminal's width; a line that is indented stays as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(_filled(text, width, indent))


def add_examples(parser: argparse.ArgumentParser, examples: str) -> None:
    """End the parser's help with ``examples``: a heading, then a command an indented line.

    What is to be said of a command follows ``#``, so that the whole line can be pasted.
    """
    parser.formatter_class = HelpFormatter
    parser.epilog = examples


def _filled(text: str, width: int, indent: str) -> Iterator[str]:
    # The lines of one paragraph come together; an empty line ends it.
    for kind, lines in groupby(text.rstrip().splitlines(), _kind):
        if kind == "sentence":
            paragraph = " ".join(line.strip() for line in lines)
            yield textwrap.fill(paragraph, width, initial_indent=indent, subsequent_indent=indent)
        else:
            yield from lines


def _kind(line: str) -> str:
    if not line.strip():
        return "empty"
    return "command" if line.startswith("  ") else "sentence"
