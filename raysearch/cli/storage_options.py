"""The options of the verbs that look after a storage: runs, gc."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raysearch.cli.options import storage_folder

__all__ = ["RunsOptions"]


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
        parser.epilog = "example: raysearch runs s3://BUCKET/results"
        add_place(parser)
        parser.add_argument("--json", action="store_true", help="machine-readable output")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(arguments.storage, arguments.json)


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
