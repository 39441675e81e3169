"""``raysearch doctor``: whether this machine, or a whole Ray cluster, is fit for a search."""

import argparse
import os
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raysearch.cli.options import add_cluster
from raysearch.cli.terminal import plain_console
from raysearch.errors import InfrastructureError, UserError

__all__ = ["add"]

TIMEOUT_S = 120.0
_STYLES = {"ok": "green", "skipped": "dim", "warning": "yellow", "failed": "bold red"}


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "doctor",
        help="is this machine, or a cluster, fit for a search",
        description=__doc__,
        epilog="exit codes: 0 nothing failed; 2 something to correct; 4 a check failed",
    )
    add_cluster(parser)
    # The text itself: a storage that is wrong is a finding, and nothing is made for it.
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
    parser.set_defaults(verb=examine)


def examine(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    from raysearch.service.doctor.checkup import check_cluster, check_machine
    from raysearch.service.doctor.findings import worst

    if not 1 <= arguments.timeout <= 3600:
        raise UserError(f"--timeout {arguments.timeout:g}: from 1 to 3600 seconds")
    address = arguments.address or os.environ.get("RAY_ADDRESS")
    console = plain_console()
    if address in (None, "", "local"):
        found = check_machine(arguments.storage, arguments.timeout)
        place = "this machine"
    else:
        found = check_cluster(address, arguments.storage, arguments.timeout)
        place = f"the cluster at {address}"
    findings = []
    for finding in found:
        findings.append(finding)
        _show(console, finding)
    if worst(findings) == "failed":
        failed = sum(finding.level == "failed" for finding in findings)
        console.print(f"{place} is not fit for a search: {failed} failed", style="bold red")
        return InfrastructureError.exit_code
    warnings = sum(finding.level == "warning" for finding in findings)
    console.print(f"{place} is fit for a search" + (f", {warnings} warnings" if warnings else ""))
    return 0


def _show(console: Console, finding: Any) -> None:
    """A line a check; on a terminal what does not fit into it goes on below itself."""
    advice = f"-> {finding.advice}" if finding.advice else ""
    if not console.is_terminal:
        print(f"{finding.level:7}  {finding.check:9}  {finding.what} {advice}".rstrip())
        return
    row = Table.grid(padding=(0, 2))
    row.add_column(width=7)
    row.add_column(width=9)
    row.add_column(overflow="fold")
    what = Text(finding.what)
    what.append(f"\n{advice}" if advice else "", style="italic")
    row.add_row(Text(finding.level, style=_STYLES[finding.level]), finding.check, what)
    console.print(row)
