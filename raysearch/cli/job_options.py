"""The options of the verbs that look after submitted searches: status, logs, stop, list."""

import argparse
from dataclasses import dataclass
from typing import Self

from raysearch.cli.help_text import add_examples
from raysearch.cli.options import add_cluster_dashboard, add_job

__all__ = ["ListOptions", "LogsOptions", "StatusOptions", "StopOptions"]

STATUS_EXAMPLES = """examples:
  raysearch status emo
  raysearch status s3://BUCKET/results/emo  # also when the cluster is gone
"""

LOGS_EXAMPLES = """examples:
  raysearch logs emo --follow
  raysearch logs s3://BUCKET/results/emo
"""

STOP_EXAMPLES = """examples:
  raysearch stop emo
  raysearch stop emo --no-wait
"""

LIST_EXAMPLES = """examples:
  raysearch list
  raysearch list --address http://127.0.0.1:8265
"""


@dataclass(frozen=True)
class StatusOptions:
    """``raysearch status``: what a submitted search is doing, or how it ended.

    Attributes:
        run: its name, or ``STORAGE/NAME``.
        address: of the cluster's dashboard, if one is given.
    """

    run: str
    address: str | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, STATUS_EXAMPLES)
        add_job(parser)
        add_cluster_dashboard(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(arguments.run, arguments.address)


@dataclass(frozen=True)
class LogsOptions:
    """``raysearch logs``: what a submitted search printed, from its cluster or from its run.

    Attributes:
        run: its name, or ``STORAGE/NAME``.
        follow: whether to go on until it ends.
        address: of the cluster's dashboard, if one is given.
    """

    run: str
    follow: bool
    address: str | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, LOGS_EXAMPLES)
        add_job(parser)
        parser.add_argument("--follow", action="store_true", help="until it ends")
        add_cluster_dashboard(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(arguments.run, arguments.follow, arguments.address)


@dataclass(frozen=True)
class StopOptions:
    """``raysearch stop``: a submitted search finishes its epochs, checkpoints and ends, resumable.

    Attributes:
        run: its name, or ``STORAGE/NAME``.
        wait: whether to wait for its end.
        address: of the cluster's dashboard, if one is given.
    """

    run: str
    wait: bool
    address: str | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, STOP_EXAMPLES)
        add_job(parser)
        add_cluster_dashboard(parser)
        parser.add_argument("--no-wait", action="store_true", help="do not wait for its end")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(arguments.run, not arguments.no_wait, arguments.address)


@dataclass(frozen=True)
class ListOptions:
    """``raysearch list``: the searches that were submitted to a cluster.

    It asks the cluster; ``raysearch runs`` lists the runs that a folder or bucket keeps, and needs
    no cluster.

    Attributes:
        address: of the cluster's dashboard, if one is given.
    """

    address: str | None

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, LIST_EXAMPLES)
        add_cluster_dashboard(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(arguments.address)
