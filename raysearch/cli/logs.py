"""``raysearch logs``: what a submitted search printed, from its cluster or from its run."""

import argparse
import sys
from typing import Any

from raysearch.cli.known_job import kept, known
from raysearch.cli.options import add_cluster_dashboard, add_job

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
    found = known(arguments)
    if found is None:
        run, record = kept(arguments.run)
        print(record.log(run), end="")
        return 0
    jobs, job = found
    if arguments.follow:
        for text in jobs.follow(job):
            sys.stdout.write(text)
            sys.stdout.flush()
    else:
        print(jobs.log(job), end="")
    return 0
