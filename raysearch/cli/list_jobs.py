"""``raysearch list``: the searches that were submitted to a cluster."""

import time

from raysearch.cli.job_options import ListOptions
from raysearch.cli.status import word_of
from raysearch.service.jobs import Jobs, address_of

__all__ = ["show"]

_ROW = "{:<9}  {:<16}  {:>7}  {}"


def show(options: ListOptions) -> int:
    """Carry the verb out."""
    jobs = Jobs(address_of(options.address))
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
