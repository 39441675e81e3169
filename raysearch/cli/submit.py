"""``raysearch submit``: a search as a job of a cluster; this machine may go away meanwhile."""

import argparse
import re
import shlex
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raysearch.cli.options import add_cluster_dashboard, add_search, names_several
from raysearch.cli.run_options import SearchOptions
from raysearch.errors import InfrastructureError, RaysearchError, UserError
from raysearch.run_folder import new_name
from raysearch.spec import SearchSpec

if TYPE_CHECKING:
    from raysearch.service.jobs import Job, Jobs

__all__ = ["add", "send"]

POLL_S = 0.5
# What the search prints once its settings, data and storage are accepted and the run is its own.
ACCEPTED = "run: "


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("submit", help="a search as a job of a cluster", description=__doc__)
    add_search(parser)
    parser.add_argument(
        "--storage",
        required=True,
        metavar="DIR|URL",
        help="where every node keeps runs and features: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, "
        "or the absolute path of a folder that all nodes share",
    )
    add_sending(parser)
    parser.set_defaults(verb=submit)


def add_sending(parser: argparse.ArgumentParser) -> None:
    """Add the options of every verb that sends a job to a cluster."""
    add_cluster_dashboard(parser)
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="a variable of the search"
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=120.0,
        metavar="SECONDS",
        help="how long to wait for the cluster's word that it takes the search (default: 120)",
    )


def submit(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    spec = _checked(arguments)
    name = arguments.name or new_name(spec)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise UserError(f"--name {name}: letters, digits, and _ . - between them")
    options = ["--space", "space.yaml"]
    for runs in arguments.warm_start or ():
        options += ["--warm-start", runs]
    send(arguments, name, options, [spec], resumed=False)
    return 0


def send(
    arguments: argparse.Namespace,
    name: str,
    options: Sequence[str],
    specs: Sequence[SearchSpec],
    *,
    resumed: bool,
) -> None:
    """Submit ``raysearch run`` and wait until the cluster has taken it.

    Args:
        arguments: ``storage``, ``address``, ``env`` and ``wait``.
        name: of the run.
        options: of ``raysearch run``.
        specs: the search, of a race every system's; none for a resumption whose run cannot be
            read from here.
        resumed: whether the run is there already.

    Raises:
        RaysearchError: it was refused, here or there; no job is left.
    """
    from raysearch.service.bundle import pack
    from raysearch.service.jobs import Jobs, address_of

    environment = _environment(arguments.env)
    storage = _storage(arguments.storage)
    with tempfile.TemporaryDirectory(prefix="raysearch-submit-") as folder:
        sent = pack(Path(folder), specs, resumed=resumed)
        jobs = Jobs(address_of(arguments.address))
        job = jobs.submit(name, storage, options, sent, environment)
        print(f"submitted {job.submission} to {jobs.address}", flush=True)
        accepted = _wait(jobs, job, arguments.wait)
    again = f"raysearch resume {shlex.quote(job.place)}"
    print(f"run: {job.place}" + ("" if accepted else " (still being looked at)"))
    print(f"  raysearch status {name}         what it is doing")
    print(f"  raysearch logs {name} --follow  what it prints")
    print(f"  raysearch stop {name}           checkpoint and end; {again}")


def _checked(arguments: argparse.Namespace) -> SearchSpec:
    if names_several(arguments.space):
        raise UserError(
            f"--space {arguments.space}: a race of systems is not sent as a job; start it from a "
            "node of the cluster, raysearch run --address auto, or submit one system, --space NAME"
        )
    for option in ("data", "pretrain_data", "pretrained"):
        for path in (getattr(arguments, option) or "").split(","):
            if path and not Path(path).is_absolute() and "://" not in path:
                raise UserError(
                    f"--{option.replace('_', '-')} {path}: name it as every node does: an absolute "
                    "path of a folder that they share, or a URL"
                )
    return SearchOptions.of(arguments).spec()


def _storage(text: str) -> str:
    text = text.removeprefix("file://")
    if "://" in text:
        from raysearch.storage.objects import ObjectStore

        return ObjectStore(text).url
    if not Path(text).is_absolute():
        raise UserError(
            f"--storage {text}: name it as every node does: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX "
            "or the absolute path of a folder that they share"
        )
    return text.rstrip("/") or "/"


def _environment(given: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not equals or not name.isidentifier():
            raise UserError(f"--env {name}: write NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _wait(jobs: "Jobs", job: "Job", seconds: float) -> bool:
    """Whether it was taken; raises what refused it, and leaves no trace of that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now, log = jobs.get(job.submission), jobs.log(job)
        if any(line.startswith(ACCEPTED) for line in log.splitlines()):
            return True
        if now.over:
            jobs.forget(now)
            raise _refused(now, log)
        time.sleep(POLL_S)
    return False


def _refused(job: "Job", log: str) -> RaysearchError:
    lines = [line for line in log.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("raysearch: ")] or lines or ["no word of it"]
    kind = UserError if job.exit_code in (2, 3) else InfrastructureError
    error = kind(f"refused by the cluster: {said[-1].removeprefix('raysearch: ')}")
    error.exit_code = job.exit_code or error.exit_code
    return error
