"""``raysearch submit``: a search as a job of a cluster; this machine may go away meanwhile."""

import re
import shlex
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from raysearch.cli.sending_options import SendingOptions, SubmitOptions, storage_of_nodes
from raysearch.errors import InfrastructureError, RaysearchError, UserError
from raysearch.run_folder import new_name
from raysearch.service.acceptance import Acceptance
from raysearch.service.bundle import pack
from raysearch.service.jobs import Job, Jobs, address_of
from raysearch.spec import SearchSpec

__all__ = ["send", "submit"]

POLL_S = 0.5


def submit(options: SubmitOptions) -> int:
    """Carry the verb out."""
    spec = options.search.spec()
    name = options.name or new_name(spec)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise UserError(f"--name {name}: letters, digits, and _ . - between them")
    arguments = ["--space", "space.yaml"]
    for run in options.search.warm_start:
        arguments += ["--warm-start", run]
    send(options.sending, options.storage, name, arguments, [spec], resumed=False)
    return 0


def send(
    options: SendingOptions,
    storage: str,
    name: str,
    arguments: Sequence[str],
    specs: Sequence[SearchSpec],
    *,
    resumed: bool,
) -> None:
    """Submit ``raysearch run`` and wait until the cluster has taken it.

    Args:
        options: how it is sent.
        storage: where the run is kept, as every node names it.
        name: of the run.
        arguments: of ``raysearch run`` besides those two.
        specs: the search, of a race every system's; none for a resumption whose run cannot be
            read from here.
        resumed: whether the run is there already.

    Raises:
        RaysearchError: it was refused, here or there; no job is left.
    """
    storage = storage_of_nodes(storage)
    with tempfile.TemporaryDirectory(prefix="raysearch-submit-") as folder:
        sent = pack(Path(folder), specs, resumed=resumed)
        jobs = Jobs(address_of(options.address))
        job = jobs.submit(name, storage, arguments, sent, options.environment)
        print(f"submitted {job.submission} to {jobs.address}", flush=True)
        accepted = _wait(jobs, job, options.wait_s)
    again = f"raysearch resume {shlex.quote(job.place)}"
    print(f"run: {job.place}" + ("" if accepted else " (still being looked at)"))
    print(f"  raysearch status {name}         what it is doing")
    print(f"  raysearch logs {name} --follow  what it prints")
    print(f"  raysearch stop {name}           checkpoint and end; {again}")


def _wait(jobs: Jobs, job: Job, seconds: float) -> bool:
    """Whether it was taken; raises what refused it, and leaves no trace of that."""
    deadline, acceptance = time.monotonic() + seconds, Acceptance(job)
    while time.monotonic() < deadline:
        now, log = jobs.get(job.submission), jobs.log(job)
        if acceptance.given(log):
            return True
        if now.over:
            jobs.forget(now)
            raise _refused(now, log)
        time.sleep(POLL_S)
    return False


def _refused(job: Job, log: str) -> RaysearchError:
    lines = [line for line in log.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("raysearch: ")] or lines or ["no word of it"]
    kind = UserError if job.exit_code in (2, 3) else InfrastructureError
    error = kind(f"refused by the cluster: {said[-1].removeprefix('raysearch: ')}")
    error.exit_code = job.exit_code or error.exit_code
    return error
