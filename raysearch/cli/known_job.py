"""Finds a submitted search: on its cluster or, when that is gone, by the record in its run."""

import argparse
from typing import TYPE_CHECKING

from raysearch.cli.options import folder_at
from raysearch.errors import InfrastructureError, MissingPathError
from raysearch.run_folder import RACE, RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from raysearch.service.job_record import Record
    from raysearch.service.jobs import Job, Jobs

__all__ = ["kept", "known"]


def known(arguments: argparse.Namespace) -> "tuple[Jobs, Job] | None":
    """What the cluster at ``address`` knows of ``run``; None if only the run can tell.

    Raises:
        RaysearchError: the cluster knows no such job or does not answer, and it is no run's place.
    """
    from raysearch.service.jobs import Jobs, address_of

    try:
        jobs = Jobs(address_of(arguments.address))
        return jobs, jobs.find(arguments.run)
    except (InfrastructureError, MissingPathError):
        if "/" not in arguments.run:
            raise
        return None


def kept(place: str) -> "tuple[Path, Record]":
    """The folder of the run, or of the race, and its last submission.

    Raises:
        MissingPathError: it is no run, or was never submitted.
    """
    from raysearch.service.job_record import records

    folder = folder_at(place)
    found = records(folder)
    if not found:
        if not (folder / RACE).is_file():
            RunFolder.existing(folder)
        raise MissingPathError(f"{place}: it was never submitted as a job")
    return folder, found[0]
