"""Servers of other tools as processes of this one: started together, and gone when it ends."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from raysearch.errors import InfrastructureError

__all__ = ["LocalServer", "free_port", "running"]

HOST = "127.0.0.1"
START_S, END_S, POLL_S = 120.0, 5.0, 0.2


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A command that serves on a port of this machine alone.

    Attributes:
        name: for the user.
        command: its words.
        port: where it listens.
    """

    name: str
    command: Sequence[str]
    port: int

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://{HOST}:{self.port}"


def free_port(wanted: int) -> int:
    """Return ``wanted`` if nothing listens there, else a port that is free."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            # As the servers bind: a connection that was closed a moment ago is in nobody's way.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise InfrastructureError(f"{HOST}: no port is free")


class Running:
    """Servers that have been started."""

    def __init__(self) -> None:
        self._started = list[tuple[LocalServer, subprocess.Popen[bytes], IO[bytes]]]()

    def start(self, server: LocalServer) -> None:
        """Start one, in a process group of its own: a Ctrl-C is for us, who end it."""
        said = tempfile.TemporaryFile()  # noqa: SIM115  closed when the server is ended
        process = subprocess.Popen(
            server.command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        self._started.append((server, process, said))

    def wait_until_ready(self) -> None:
        """Wait until each answers.

        Raises:
            InfrastructureError: one ended, or does not answer for two minutes.
        """
        until = time.monotonic() + START_S
        for server, _, _ in self._started:
            while not _answers(server.port):
                self.check()
                if time.monotonic() > until:
                    raise InfrastructureError(f"{server.name}: does not answer: {server.address}")
                time.sleep(POLL_S)

    def check(self) -> None:
        """Raise InfrastructureError if one has ended."""
        for server, process, said in self._started:
            if process.poll() is not None:
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines()
                why = lines[-1] if lines else f"exit code {process.returncode}"
                raise InfrastructureError(f"{server.name} ended: {why}")

    def end(self) -> None:
        """End all of them, and what they have started."""
        for _, process, _ in self._started:
            _signal(process, signal.SIGTERM)
        until = time.monotonic() + END_S
        for _, process, said in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
            _signal(process, signal.SIGKILL)
            process.wait()
            said.close()


@contextmanager
def running(servers: Sequence[LocalServer]) -> Iterator[Running]:
    """Have ``servers`` run while the ``with`` lasts, all of which answer when it begins.

    Raises:
        InfrastructureError: one does not start.
    """
    started = Running()
    try:
        for server in servers:
            started.start(server)
        started.wait_until_ready()
        yield started
    finally:
        started.end()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    """Send the signal to the whole group, of which others may live on without its leader."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
