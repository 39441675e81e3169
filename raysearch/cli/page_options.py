"""The options of the verbs that draw a run's page."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from raysearch.cli.help_text import add_examples
from raysearch.errors import UserError

__all__ = ["ReportOptions", "WatchOptions"]

REPORT_EXAMPLES = """examples:
  raysearch report results/emo                  # report.html in its folder
  raysearch report s3://BUCKET/results/emo      # emo.html here
  raysearch report results/emo --output a.html  # one file, to be sent around
"""

WATCH_EXAMPLES = """examples:
  raysearch watch results/emo              # while it is searched, or after
  raysearch watch s3://BUCKET/results/emo  # what a cluster keeps in a bucket
"""


@dataclass(frozen=True)
class ReportOptions:
    """``raysearch report``: everything that is known of a run as one page, which opens offline.

    Attributes:
        run: its folder, or ``URL/name``.
        output: the file to write.
        audio: whether the worst mistakes bring their recordings, to be heard and seen.
    """

    run: str
    output: Path | None
    audio: bool

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        _add_run(parser, REPORT_EXAMPLES)
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FILE",
            help="default: report.html in the run's folder; NAME.html here for a run in a bucket",
        )
        parser.add_argument(
            "--no-audio",
            action="store_true",
            help="leave recordings and pictures of them out",
        )

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed."""
        return cls(arguments.run, arguments.output, not arguments.no_audio)


@dataclass(frozen=True)
class WatchOptions:
    """``raysearch watch``: a run's page, live, on this machine alone.

    Attributes:
        run: its folder, or ``URL/name``.
        port: where it is served; 0 for any that is free.
    """

    run: str
    port: int

    @classmethod
    def add(cls, parser: argparse.ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""
        _add_run(parser, WATCH_EXAMPLES)
        parser.add_argument("--port", type=int, default=0, help="default: any that is free")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """Read what was parsed; raises UserError for what is no port."""
        if not 0 <= arguments.port < 65536:
            raise UserError(f"--port {arguments.port}: from 0 to 65535")
        return cls(arguments.run, arguments.port)


def _add_run(parser: argparse.ArgumentParser, examples: str) -> None:
    add_examples(parser, examples)
    parser.add_argument("run", metavar="RUN", help="results/<run> or URL/<run>")
