"""The options of ``raysearch completion``."""

import argparse
from dataclasses import dataclass
from typing import Self

__all__ = ["SHELLS", "CompletionOptions"]

SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True)
class CompletionOptions:
    """``raysearch completion``: a script by which a shell completes verbs, options and values.

    bash and zsh read it by ``. <(raysearch completion bash)`` in ``~/.bashrc`` or, with zsh for
    bash and after compinit, in ``~/.zshrc``; fish by ``raysearch completion fish | source`` in
    ``~/.config/fish/config.fish``.

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
