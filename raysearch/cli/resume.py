"""``raysearch resume``: go on with a run whose job was stopped or whose cluster is gone."""

import argparse
from typing import Any

from raysearch.cli.options import run_at
from raysearch.cli.submit import add_sending, send
from raysearch.errors import MissingPathError, UserError
from raysearch.spec import SearchSpec

__all__ = ["add"]


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "resume", help="go on with a run on this or another cluster", description=__doc__
    )
    parser.add_argument(
        "run", metavar="RUN", help="STORAGE/NAME, or the name alone where this cluster knows it"
    )
    parser.add_argument(
        "--trials", type=int, metavar="N", help="trials in all, if more than so far"
    )
    add_sending(parser)
    parser.set_defaults(verb=resume)


def resume(arguments: argparse.Namespace) -> int:
    """Carry the verb out."""
    arguments.storage, _, name = arguments.run.rstrip("/").rpartition("/")
    if not arguments.storage:
        from raysearch.service.jobs import Jobs, address_of

        job = Jobs(address_of(arguments.address)).find(name)
        if not job.over:
            raise UserError(f"{name}: it is {job.state.lower()}; there is nothing to resume")
        arguments.storage = job.storage
    options = ["--resume"]
    if arguments.trials:
        options += ["--trials", str(arguments.trials)]
    send(arguments, name, options, _spec(arguments.storage, name), resumed=True)
    return 0


def _spec(storage: str, name: str) -> SearchSpec | None:
    """The run's settings, which may name modules of the user's own that are to be sent along."""
    try:
        return run_at(f"{storage}/{name}").spec()
    except MissingPathError:
        return None  # a folder that the cluster's nodes share, and this machine does not
