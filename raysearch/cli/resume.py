"""``raysearch resume``: go on with a run, or a race, that was stopped or whose cluster is gone."""

from raysearch.cli.options import folder_at
from raysearch.cli.sending_options import ResumeOptions
from raysearch.cli.submit import send
from raysearch.errors import MissingPathError, UserError
from raysearch.race.race_record import RaceFolder
from raysearch.run_folder import RACE, RunFolder
from raysearch.service.jobs import Jobs, address_of
from raysearch.spec import SearchSpec

__all__ = ["resume", "specs_of"]


def resume(options: ResumeOptions) -> int:
    """Carry the verb out."""
    name = options.name
    storage = options.storage or _known_storage(name, options.sending.address)
    arguments = ["--resume"]
    if options.trials:
        arguments += ["--trials", str(options.trials)]
    specs = specs_of(f"{storage}/{name}")
    send(options.sending, storage, name, arguments, specs, resumed=True)
    return 0


def _known_storage(name: str, address: str | None) -> str:
    """Where the cluster knows the run to be kept; raises UserError if it is still at work."""
    job = Jobs(address_of(address)).find(name)
    if not job.over:
        raise UserError(f"{name}: it is {job.state.lower()}; there is nothing to resume")
    return job.storage


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
