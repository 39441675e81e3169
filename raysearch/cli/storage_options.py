"""The options of the verbs that look after a storage: runs, gc."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raysearch.cli.help_text import add_examples
from raysearch.cli.options import storage_folder

__all__ = ["GcOptions", "RunsOptions"]

RUNS_EXAMPLES = """examples:
  raysearch runs                                     # of results/
  raysearch runs s3://BUCKET/results
  raysearch runs --json
"""

GC_EXAMPLES = """examples:
  raysearch gc                   # what results/ can do without
  raysearch gc results --remove
"""


@dataclass(frozen=True)
class RunsOptions:
    """``raysearch runs``: the runs and races that a storage keeps, the newest first.

    It reads what runs left behind, in a folder or a bucket, and needs no cluster; ``raysearch
    list`` asks a cluster for the jobs that were submitted to it.

    Attributes:
        storage: where the runs are.
        json: whether the output is for a machine.
    """

    storage: Path
    json: bool

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, RUNS_EXAMPLES)
        add_place(parser)
        parser.add_argument("--json", action="store_true", help="machine-readable output")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(arguments.storage, arguments.json)


@dataclass(frozen=True)
class GcOptions:
    """``raysearch gc``: what a storage holds that nothing will read again, and its size.

    That is: checkpoints that neither the final model nor a resumption reads, of runs that are over;
    nets of a final model that another one has replaced; feature sets that no run of the storage
    asks for; what a killed process had not yet published. Of a bucket it is the feature sets.
    Nothing is removed without ``--remove``. A run that a process holds stays as it is.

    Attributes:
        storage: where the runs are.
        remove: whether it is removed.
        json: whether the output is for a machine.
    """

    storage: Path
    remove: bool
    json: bool

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, GC_EXAMPLES)
        add_place(parser)
        parser.add_argument("--remove", action="store_true", help="remove what can go")
        parser.add_argument("--json", action="store_true", help="machine-readable output")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(arguments.storage, arguments.remove, arguments.json)


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a storage."""
    parser.add_argument(
        "storage",
        nargs="?",
        type=storage_folder,
        default=Path("results"),
        metavar="STORAGE",
        help="a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX (default: ./results)",
    )
