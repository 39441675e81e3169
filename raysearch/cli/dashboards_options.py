"""The options of ``raysearch dashboards``."""

import argparse
from dataclasses import dataclass
from typing import Self

from raysearch.cli.help_text import add_examples
from raysearch.cli.options import add_run, run_at
from raysearch.run_folder import RunFolder

__all__ = ["DashboardsOptions"]

EXAMPLES = """examples:
  raysearch dashboards results/emo
  raysearch dashboards s3://BUCKET/results/emo
"""


@dataclass(frozen=True)
class DashboardsOptions:
    """``raysearch dashboards``: a run in TensorBoard and, where installed, optuna-dashboard.

    Both listen on this machine alone, and end with the command. Of a run in a bucket what is on
    this machine is shown.

    Attributes:
        run: the run; of a race, the winner's.
    """

    run: RunFolder

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, EXAMPLES)
        add_run(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(run_at(arguments.run))
