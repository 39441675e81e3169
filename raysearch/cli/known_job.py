"""Finds a submitted search: on its cluster or, when that is gone, by the record in its run."""

from pathlib import Path

from raysearch.cli.options import folder_at
from raysearch.errors import InfrastructureError, MissingPathError
from raysearch.run_folder import RACE, RunFolder
from raysearch.service.job_record import Record, records
from raysearch.service.jobs import Job, Jobs, address_of

__all__ = ["kept", "known"]


def known(run: str, address: str | None) -> tuple[Jobs, Job] | None:
    """What the cluster at ``address`` knows of ``run``; None if only the run can tell.

    Raises:
        RaysearchError: the cluster knows no such job or does not answer, and it is no run's place.
    """
    try:
        jobs = Jobs(address_of(address))
        return jobs, jobs.find(run)
    except (InfrastructureError, MissingPathError):
        if "/" not in run:
            raise
        return None


def kept(place: str) -> tuple[Path, Record]:
    """The folder of the run, or of the race, and its last submission.

    Raises:
        MissingPathError: it is no run, or was never submitted.
    """
    folder = folder_at(place)
    found = records(folder)
    if not found:
        if not (folder / RACE).is_file():
            RunFolder.existing(folder)
        raise MissingPathError(f"{place}: it was never submitted as a job")
    return folder, found[0]
