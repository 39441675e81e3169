"""``raysearch list``: the searches that were submitted to a cluster."""

import argparse
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from raysearch.cli.options import add_cluster_dashboard
from raysearch.cli.status import word_of

__all__ = ["add"]


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("list", help="a cluster's submitted searches", description=__doc__)
    add_cluster_dashboard(parser)
    parser.set_defaults(verb=show)


def show(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    from raysearch.service.jobs import Jobs, address_of

    jobs = Jobs(address_of(arguments.address))
    found = jobs.all()
    if not found:
        print(f"no search was submitted to {jobs.address}")
        return 0
    table = Table(box=None, pad_edge=False)
    for name in ("run", "state", "began", "minutes"):
        table.add_column(name, justify="right" if name == "minutes" else "left")
    for job in found:
        minutes = ((job.ended or time.time()) - job.started) / 60 if job.started else 0
        began = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.started)) if job.started else ""
        table.add_row(job.place, word_of(job), began, f"{minutes:.0f}")
    Console(soft_wrap=True).print(table)
    return 0
