"""The options of ``raysearch completion``."""

import argparse
from dataclasses import dataclass
from typing import Self

from raysearch.cli.help_text import add_examples

__all__ = ["SHELLS", "CompletionOptions"]

SHELLS = ("bash", "zsh", "fish")

EXAMPLES = """examples:
  raysearch completion bash > ~/.raysearch.bash
  . <(raysearch completion zsh)
  raysearch completion fish | source
"""


@dataclass(frozen=True)
class CompletionOptions:
    """``raysearch completion``: a script by which a shell completes verbs, options and values.

    In ``~/.bashrc``: ``. <(raysearch completion bash)``. In ``~/.zshrc``, after compinit:
    ``. <(raysearch completion zsh)``. In ``~/.config/fish/config.fish``: ``raysearch completion
    fish | source``.

    Attributes:
        shell: one of SHELLS.
    """

    shell: str

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, EXAMPLES)
        parser.add_argument("shell", choices=SHELLS, help="whose script")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(arguments.shell)
