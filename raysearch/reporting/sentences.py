"""Sentences on a console."""

from textwrap import fill

from rich.console import Console

__all__ = ["print_sentence"]


def print_sentence(console: Console, text: str) -> None:
    """Print ``text`` as it is: broken between words on a terminal, whole where it is read from.

    A word that is longer than a line, such as a path, stays whole. Whoever prints a command to
    paste leaves its line to the terminal, which breaks none.
    """
    if console.is_terminal:
        text = fill(text, console.width, break_long_words=False, break_on_hyphens=False)
    console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=True)
