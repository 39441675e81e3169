"""The options of ``raysearch completion``."""

import argparse
from dataclasses import dataclass
from typing import Self

__all__ = ["SHELLS", "CompletionOptions"]

SHELLS = ("bash", "zsh", "fish")


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
        parser.epilog = "example: raysearch completion bash > ~/.raysearch.bash"
        parser.add_argument("shell", choices=SHELLS, help="whose script")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(arguments.shell)
