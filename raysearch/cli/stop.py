"""``raysearch stop``: a submitted search finishes its epochs, checkpoints and ends, resumable."""

import argparse
import shlex
import time
from typing import Any

from raysearch.cli.options import add_cluster_dashboard, add_job

__all__ = ["add"]

POLL_S = 1.0


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("stop", help="end a submitted search", description=__doc__)
    add_job(parser)
    add_cluster_dashboard(parser)
    parser.add_argument("--no-wait", action="store_true", help="do not wait for its end")
    parser.set_defaults(verb=stop)


def stop(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    from raysearch.service.jobs import Jobs, address_of

    jobs = Jobs(address_of(arguments.address))
    job = jobs.find(arguments.run)
    if job.over:
        print(f"{job.run}: it has ended before ({job.state.lower()})")
        return 0
    jobs.stop(job)
    if arguments.no_wait:
        print(f"{job.run}: asked to stop")
        return 0
    print(f"{job.run}: asked to stop; it finishes its epochs and checkpoints ...", flush=True)
    while not jobs.get(job.submission).over:
        time.sleep(POLL_S)
    print(f"stopped; go on with: raysearch resume {shlex.quote(job.place)}")
    return 0
