"""The options of the verbs that look at what there is: a corpus, the systems, a machine."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raysearch.cli.help_text import add_examples
from raysearch.cli.options import (
    Setting,
    add_cluster,
    add_data,
    add_storage,
    given_settings,
)
from raysearch.errors import ConfigError, UserError

__all__ = ["CorpusOptions", "DoctorOptions", "SystemsOptions"]

TIMEOUT_S = 120.0

CORPUS_EXAMPLES = """examples:
  raysearch corpus                                   # the demo corpus
  raysearch corpus --corpus emodb --data EMO-DB/
  raysearch corpus --corpus ravdess,savee --data RAVDESS/,SAVEE/
  raysearch corpus --corpus manifest --data calls.csv --json
"""

SYSTEMS_EXAMPLES = """examples:
  raysearch systems
  raysearch systems --set features.ssl.weights=.cache/whisper-tiny.en
"""

DOCTOR_EXAMPLES = """examples:
  raysearch doctor                                   # this machine
  raysearch doctor --address auto --storage s3://BUCKET/results

exit codes: 0 nothing failed; 2 something to correct; 4 a check failed
"""


@dataclass(frozen=True)
class CorpusOptions:
    """``raysearch corpus``: what a corpus holds, what was dropped, and whether its folds leak.

    Attributes:
        settings: of the sections ``corpus`` and ``protocol``.
        one_fold: whether a single fold is looked at, the protocol's.
        storage: where the demo corpus is kept.
        json: whether the output is for a machine.
    """

    settings: Sequence[Setting]
    one_fold: bool
    storage: Path
    json: bool

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, CORPUS_EXAMPLES)
        add_data(parser)
        add_storage(parser)
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="a setting of corpus or protocol, as corpus.label_map=common",
        )
        parser.add_argument("--json", action="store_true", help="machine-readable output")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises ConfigError for a setting of another section."""
        settings = given_settings(arguments)
        for key, _ in settings:
            if not key.startswith(("corpus.", "protocol.")):
                raise ConfigError(f"--set {key}: only corpus.* and protocol.* are settings here")
        return cls(settings, arguments.fold is not None, arguments.storage, arguments.json)


@dataclass(frozen=True)
class SystemsOptions:
    """``raysearch systems``: what is built in, where it was published, and what it needs.

    Attributes:
        settings: ``KEY=VALUE`` each, laid over those systems that have the key's section.
        json: whether the output is for a machine.
    """

    settings: Sequence[str]
    json: bool

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, SYSTEMS_EXAMPLES)
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="as in run: weights' paths",
        )
        parser.add_argument("--json", action="store_true", help="machine-readable output")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(arguments.set, arguments.json)


@dataclass(frozen=True)
class DoctorOptions:
    """``raysearch doctor``: whether this machine, or a whole Ray cluster, is fit for a search.

    Attributes:
        address: of the cluster; None: this machine.
        storage: the text itself: one that is wrong is a finding, and nothing is made for it.
        timeout_s: seconds for each answer of a node.
    """

    address: str | None
    storage: str
    timeout_s: float

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        add_examples(parser, DOCTOR_EXAMPLES)
        add_cluster(parser)
        parser.add_argument(
            "--storage",
            default="results",
            metavar="DIR|URL",
            help="where runs and features are to be kept: a folder, s3://BUCKET/PREFIX or"
            " gs://BUCKET/PREFIX (default: ./results)",
        )
        parser.add_argument(
            "--timeout",
            type=float,
            default=TIMEOUT_S,
            metavar="S",
            help=f"seconds for each answer of a node (default: {TIMEOUT_S:g})",
        )

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises UserError for a time that is none."""
        if not 1 <= arguments.timeout <= 3600:
            raise UserError(f"--timeout {arguments.timeout:g}: from 1 to 3600 seconds")
        address = arguments.address or os.environ.get("RAY_ADDRESS")
        local = address in (None, "", "local")
        return cls(None if local else address, arguments.storage, arguments.timeout)
