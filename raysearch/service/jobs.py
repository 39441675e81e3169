"""Searches as jobs of a Ray cluster, through its Jobs API; nothing of a cluster is kept here."""

import asyncio
import logging
import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from ray.exceptions import RayError
from ray.job_submission import JobSubmissionClient

from raysearch.errors import InfrastructureError, MissingPathError, UserError, first_line
from raysearch.proxies import speak_directly
from raysearch.ray_cluster.own_token import own_token
from raysearch.ray_cluster.ray_internals import UPLOAD_LOGGER

__all__ = ["Job", "Jobs", "address_of"]

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
# A stop waits for the epoch under way and its checkpoint.
STOP_WAIT_S = 900
_ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
# They tell of every upload and of every end of a stream.
_TALKERS = (
    "ray.dashboard.modules.dashboard_sdk",
    "ray.dashboard.modules.job.sdk",
    UPLOAD_LOGGER,
)
_RAYS_LINE = re.compile(
    r"Running entrypoint for job |[-\d]+ [\d:,]+\tINFO (job_manager|worker)\.py"
)
_RUN, _STORAGE = "raysearch_run", "raysearch_storage"


@dataclass(frozen=True, slots=True)
class Job:
    """One submission, as the cluster knows it.

    Attributes:
        submission: its id.
        run: the run that it began or resumed.
        storage: where that run is kept.
        state: ``PENDING``, ``RUNNING``, ``SUCCEEDED``, ``FAILED`` or ``STOPPED``.
        exit_code: of the search, once it has ended by itself.
        started, ended: seconds since 1970.
    """

    submission: str
    run: str
    storage: str
    state: str
    exit_code: int | None
    started: float | None
    ended: float | None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state in _ENDED

    @property
    def place(self) -> str:
        """The run, as the other verbs name it."""
        return f"{self.storage}/{self.run}"


def address_of(given: str | None) -> str:
    """The dashboard's address: what is given, or ``RAY_API_SERVER_ADDRESS``, or the tunnel's."""
    return given or os.environ.get("RAY_API_SERVER_ADDRESS") or DEFAULT_ADDRESS


class Jobs:
    """The jobs of the cluster whose dashboard answers at ``address``.

    Raises:
        InfrastructureError: nobody answers there.
        UserError: the token is missing or wrong.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        if not re.match(r"https?://", address):
            raise UserError(f"{address}: give the dashboard's address, as {DEFAULT_ADDRESS}")
        speak_directly(urlsplit(address).hostname or "")
        headers = _authorization()
        _check_answers(address, headers)
        for talker in _TALKERS:
            logging.getLogger(talker).setLevel(logging.WARNING)
        with self._told():
            self._client = JobSubmissionClient(address, headers=headers)

    def submit(
        self,
        run: str,
        storage: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
    ) -> Job:
        """Start ``raysearch run`` with ``arguments`` as a job on the cluster's head.

        Args:
            run: the run's name.
            storage: where it is kept, as every node names it.
            arguments: of ``raysearch run`` besides those two.
            folder: what is sent along.
            environment: variables of the search and its workers.
        """
        submission = f"{run}.{time.strftime('%Y%m%d-%H%M%S')}"
        command = ["python", "-m", "raysearch.run", "--storage", storage, "--name", run]
        with self._told():
            self._client.submit_job(
                # Replaces the shell, which would take a signal in the search's stead.
                entrypoint=f"exec {shlex.join([*command, *arguments, '--job', submission])}",
                submission_id=submission,
                metadata={_RUN: run, _STORAGE: storage},
                runtime_env={
                    "working_dir": str(folder),
                    "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S), **environment},
                },
            )
        return self.get(submission)

    def get(self, submission: str) -> Job:
        """The job of that id as it is now."""
        with self._told():
            return _job(self._client.get_job_info(submission))

    def all(self) -> list[Job]:
        """Return every search that was submitted to this cluster, the newest first."""
        with self._told():
            found = [_job(job) for job in self._client.list_jobs() if _RUN in (job.metadata or {})]
        return sorted(found, key=lambda job: -(job.started or 0))

    def find(self, run: str) -> Job:
        """The newest job of the run, which is named by its name or by ``STORAGE/NAME``.

        Raises:
            MissingPathError: there is none.
            UserError: several runs of that name are kept in different places.
        """
        jobs = [job for job in self.all() if run in (job.run, job.place)]
        if not jobs:
            raise MissingPathError(f"{run}: no such job at {self.address}; see raysearch list")
        places = sorted({job.place for job in jobs})
        if len(places) > 1:
            raise UserError(f"{run}: which one: {' or '.join(places)}?")
        return jobs[0]

    def log(self, job: Job) -> str:
        """Read all that the job has printed."""
        with self._told():
            return _own_lines(self._client.get_job_logs(job.submission))

    def follow(self, job: Job) -> Iterator[str]:
        """Yield what the job prints, as it comes, from the beginning to the end."""
        stream = self._client.tail_job_logs(job.submission)
        loop = asyncio.new_event_loop()
        try:
            with self._told():
                while True:
                    try:
                        text: str = loop.run_until_complete(anext(stream))
                    except StopAsyncIteration:
                        return
                    yield _own_lines(text)
        finally:
            loop.run_until_complete(stream.aclose())
            loop.close()

    def stop(self, job: Job) -> None:
        """Ask the job to finish its epochs, write checkpoints and end."""
        with self._told():
            self._client.stop_job(job.submission)

    def forget(self, job: Job) -> None:
        """Remove a job that has ended from the cluster's list."""
        with self._told():
            self._client.delete_job(job.submission)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (
            ConnectionError,
            requests.exceptions.RequestException,
            RayError,
            RuntimeError,
        ) as error:
            raise InfrastructureError(f"{self.address}: {first_line(error)}") from None


def _authorization() -> dict[str, str]:
    """The token as a header, from where Ray itself looks for one.

    Ray sends it only where ``RAY_AUTH_MODE=token`` was exported; a cluster's user would have to
    know, and one whose own Ray runs without tokens could not.
    """
    token = own_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _check_answers(address: str, headers: Mapping[str, str]) -> None:
    """One try, told in one line: Ray's client would print of its own."""
    try:
        answer = requests.get(f"{address}/api/version", headers=dict(headers), timeout=10)
    except requests.exceptions.RequestException as error:
        raise InfrastructureError(
            f"{address}: no cluster answers there ({type(error).__name__}); is the tunnel open "
            "(ray dashboard FILE)? Another address: --address, or RAY_API_SERVER_ADDRESS"
        ) from None
    if answer.status_code in (401, 403):
        what = "refuses this token" if headers else "asks for its token"
        raise UserError(
            f"{address}: the cluster {what}: put the cluster's (on its head: ray get-auth-token) "
            "into ~/.ray/auth_token or RAY_AUTH_TOKEN"
        )
    if not answer.ok or "ray_version" not in answer.text:
        raise InfrastructureError(f"{address}: what answers there is no Ray dashboard")


def _own_lines(text: str) -> str:
    """Without what Ray writes above the search's own words."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not _RAYS_LINE.match(line))


def _job(details: Any) -> Job:
    metadata = details.metadata or {}
    return Job(
        submission=details.submission_id,
        run=metadata.get(_RUN, "?"),
        storage=metadata.get(_STORAGE, "?"),
        state=str(details.status.value),
        exit_code=details.driver_exit_code,
        started=details.start_time and details.start_time / 1000,
        ended=details.end_time and details.end_time / 1000,
    )
