"""The options of the verbs that send a search to a cluster: submit and resume."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raysearch.cli.help_text import add_examples
from raysearch.cli.options import add_cluster_dashboard, add_search, names_several
from raysearch.cli.run_options import SearchOptions
from raysearch.errors import UserError
from raysearch.storage.objects import ObjectStore

__all__ = ["ResumeOptions", "SendingOptions", "SubmitOptions", "storage_of_nodes"]

SUBMIT_EXAMPLES = """examples:
  raysearch submit --space cnn --storage s3://BUCKET/results --name emo \\
    --corpus emodb --data s3://BUCKET/EMO-DB
  raysearch submit --space emohrnet --storage /shared/results --workers 2:8
"""

RESUME_EXAMPLES = """examples:
  raysearch resume emo                               # on the same cluster
  raysearch resume s3://BUCKET/results/emo --trials 100
"""


@dataclass(frozen=True)
class SendingOptions:
    """How a search is sent.

    Attributes:
        address: of the cluster's dashboard, if one is given.
        environment: variables of the search.
        wait_s: how long to wait for the cluster's word that it takes the search.
    """

    address: str | None
    environment: Mapping[str, str]
    wait_s: float

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the arguments of every verb that sends a job to a cluster."""
        add_cluster_dashboard(parser)
        parser.add_argument(
            "--env",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a variable of the search",
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=120.0,
            metavar="SECONDS",
            help="how long to wait for the cluster's word that it takes the search (default: 120)",
        )

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises UserError for an ``--env`` of no form."""
        return cls(arguments.address, _environment(arguments.env), arguments.wait)


@dataclass(frozen=True)
class SubmitOptions:
    """``raysearch submit``: a search as a job of a cluster; this machine may go away meanwhile.

    Attributes:
        search: what is searched.
        storage: where every node keeps runs and features.
        name: of the run, if one is given.
        sending: how it is sent.
    """

    search: SearchOptions
    storage: str
    name: str | None
    sending: SendingOptions

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, SUBMIT_EXAMPLES)
        add_search(parser)
        parser.add_argument(
            "--storage",
            required=True,
            metavar="DIR|URL",
            help="where every node keeps runs and features: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX,"
            " or the absolute path of a folder that all nodes share",
        )
        SendingOptions.add(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises UserError for what cannot be sent."""
        if names_several(arguments.space):
            raise UserError(
                f"--space {arguments.space}: a race of systems is not sent as a job; start it from"
                " a node of the cluster, raysearch run --address auto, or submit one system,"
                " --space NAME"
            )
        for option in ("data", "pretrain_data", "pretrained"):
            _check_paths(option, getattr(arguments, option) or "")
        return cls(
            search=SearchOptions.of(arguments),
            storage=arguments.storage,
            name=arguments.name,
            sending=SendingOptions.of(arguments),
        )


@dataclass(frozen=True)
class ResumeOptions:
    """``raysearch resume``: go on with a run, or a race, that was stopped or whose cluster is gone.

    Attributes:
        storage: where the run is kept; None: the cluster knows it.
        name: of the run.
        trials: how many there are to be in all, if more than so far.
        sending: how it is sent.
    """

    storage: str | None
    name: str
    trials: int | None
    sending: SendingOptions

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, RESUME_EXAMPLES)
        parser.add_argument(
            "run", metavar="RUN", help="STORAGE/NAME, or the name alone where this cluster knows it"
        )
        parser.add_argument(
            "--trials", type=int, metavar="N", help="trials in all, if more than so far"
        )
        SendingOptions.add(parser)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises UserError for an ``--env`` of no form."""
        storage, _, name = arguments.run.rstrip("/").rpartition("/")
        return cls(storage or None, name, arguments.trials, SendingOptions.of(arguments))


def storage_of_nodes(text: str) -> str:
    """A storage as every node names it: a URL, or an absolute path; raises UserError for others."""
    text = text.removeprefix("file://")
    if "://" in text:
        return ObjectStore(text).url
    if not Path(text).is_absolute():
        raise UserError(
            f"--storage {text}: name it as every node does: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX "
            "or the absolute path of a folder that they share"
        )
    return text.rstrip("/") or "/"


def _check_paths(option: str, paths: str) -> None:
    for path in paths.split(","):
        if path and not Path(path).is_absolute() and "://" not in path:
            raise UserError(
                f"--{option.replace('_', '-')} {path}: name it as every node does: an absolute "
                "path of a folder that they share, or a URL"
            )


def _environment(given: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not equals or not name.isidentifier():
            raise UserError(f"--env {name}: write NAME=VALUE")
    return {name: value for name, _, value in pairs}
