"""``raysearch resume``: go on with a run, or a race, that was stopped or whose cluster is gone."""

import argparse
from typing import Any

from raysearch.cli.options import folder_at
from raysearch.cli.submit import add_sending, send
from raysearch.errors import MissingPathError, UserError
from raysearch.race.race_record import RaceFolder
from raysearch.run_folder import RACE, RunFolder
from raysearch.spec import SearchSpec

__all__ = ["add", "specs_of"]


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
    send(arguments, name, options, specs_of(f"{arguments.storage}/{name}"), resumed=True)
    return 0


def specs_of(place: str) -> list[SearchSpec]:
    """Read the settings of a run; of a race, those of every system in it.

    They may name modules of the user's own, which are to be sent along.
    """
    try:
        folder = folder_at(place)
        if (folder / RACE).is_file():
            race = RaceFolder(folder)
            return [race.run(system).spec() for system in race.load().systems]
        return [RunFolder.existing(folder).spec()]
    except MissingPathError:
        return []  # a folder that the cluster's nodes share, and this machine does not
