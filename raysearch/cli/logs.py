"""``raysearch logs``: what a submitted search printed, from its cluster or from its run."""

import argparse
import sys
from typing import Any

from raysearch.cli.options import add_cluster_dashboard, add_job, run_at
from raysearch.errors import InfrastructureError, MissingPathError

__all__ = ["add"]


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("logs", help="what a submitted search prints", description=__doc__)
    add_job(parser)
    parser.add_argument("--follow", action="store_true", help="until it ends")
    add_cluster_dashboard(parser)
    parser.set_defaults(verb=logs)


def logs(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    from raysearch.service.jobs import Jobs, address_of

    try:
        jobs = Jobs(address_of(arguments.address))
        job = jobs.find(arguments.run)
    except (InfrastructureError, MissingPathError):
        if "/" not in arguments.run:
            raise
        print(_kept(arguments.run), end="")  # the cluster is gone, the run is not
        return 0
    if arguments.follow:
        for text in jobs.follow(job):
            sys.stdout.write(text)
            sys.stdout.flush()
    else:
        print(jobs.log(job), end="")
    return 0


def _kept(place: str) -> str:
    from raysearch.service.record import records

    run = run_at(place)
    found = records(run.root)
    if not found:
        raise MissingPathError(f"{place}: it was never submitted as a job")
    return found[0].log(run.root)
