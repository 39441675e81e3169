"""``raysearch list``: the searches that were submitted to a cluster."""

import argparse
import time
from typing import Any

from raysearch.cli.options import add_cluster_dashboard
from raysearch.cli.status import word_of

__all__ = ["add"]

_ROW = "{:<9}  {:<16}  {:>7}  {}"


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
    # The run comes last and is never cut: it is what the other verbs take.
    print(_ROW.format("state", "began", "minutes", "run"))
    for job in found:
        minutes = ((job.ended or time.time()) - job.started) / 60 if job.started else 0
        began = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.started)) if job.started else ""
        print(_ROW.format(word_of(job), began, f"{minutes:.0f}", job.place))
    return 0
