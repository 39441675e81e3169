"""``raysearch stop``: a submitted search finishes its epochs, checkpoints and ends, resumable."""

import shlex
import time

from raysearch.cli.job_options import StopOptions
from raysearch.service.jobs import Jobs, address_of

__all__ = ["stop"]

POLL_S = 1.0


def stop(options: StopOptions) -> int:
    """Carry the verb out."""
    jobs = Jobs(address_of(options.address))
    job = jobs.find(options.run)
    if job.over:
        print(f"{job.run}: it has ended before ({job.state.lower()})")
        return 0
    jobs.stop(job)
    if not options.wait:
        print(f"{job.run}: asked to stop")
        return 0
    print(f"{job.run}: asked to stop; it finishes its epochs and checkpoints ...", flush=True)
    while not jobs.get(job.submission).over:
        time.sleep(POLL_S)
    print(f"stopped; go on with: raysearch resume {shlex.quote(job.place)}")
    return 0
