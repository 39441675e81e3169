"""The options of ``raysearch leak-study``."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raysearch.cli.arm_options import add_arms, require_counts
from raysearch.cli.help_text import add_examples
from raysearch.cli.options import Setting, given_settings

__all__ = ["LeakStudyOptions"]

EXAMPLES = """examples:
  raysearch leak-study --corpus emodb --data EMO-DB/
  raysearch leak-study --space cnn --max-epochs 20 --name leaks
"""


@dataclass(frozen=True)
class LeakStudyOptions:
    """``raysearch leak-study``: how much of a figure is leakage, in four arms.

    Attributes:
        space: what is trained: a name or a path.
        settings: what is laid over it.
        name: of the study's folder, if one is given.
        storage: where it and features are kept.
        seeds: nets of each arm and fold.
        address: of a running Ray cluster, if there is one.
    """

    space: str
    settings: Sequence[Setting]
    name: str | None
    storage: Path
    seeds: int
    address: str | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, EXAMPLES)
        parser.add_argument("--space", default="cnn1d_attention", metavar="NAME|PATH")
        parser.add_argument("--name", metavar="STUDY", help="the study's folder")
        parser.add_argument("--max-epochs", type=int, metavar="N", help="epochs of each arm")
        add_arms(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises UserError for no seed, or a ``--set`` of no form."""
        require_counts(arguments, "seeds")
        return cls(
            space=arguments.space,
            settings=given_settings(arguments),
            name=arguments.name,
            storage=arguments.storage,
            seeds=arguments.seeds,
            address=arguments.address,
        )
