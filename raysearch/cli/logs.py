"""``raysearch logs``: what a submitted search printed, from its cluster or from its run."""

import sys

from raysearch.cli.job_options import LogsOptions
from raysearch.cli.known_job import kept, known

__all__ = ["logs"]


def logs(options: LogsOptions) -> int:
    """Carry the verb out."""
    found = known(options.run, options.address)
    if found is None:
        run, record = kept(options.run)
        print(record.log(run), end="")
        return 0
    jobs, job = found
    if options.follow:
        for text in jobs.follow(job):
            sys.stdout.write(text)
            sys.stdout.flush()
    else:
        print(jobs.log(job), end="")
    return 0
