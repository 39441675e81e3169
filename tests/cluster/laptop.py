"""The user's machine of the cluster test: the launcher, the tunnel and ``raysearch``'s verbs.

Its home is a folder of its own, so neither the user's token nor the user's keys are seen.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from hosts import USER, Host
from world import CHECKOUT, HOME, RESULTS, die_with_parent

__all__ = ["Laptop"]

# Three hosts share this machine: each shows one CPU, and takes little of its memory.
SMALL_NODE = "--num-cpus=1 --object-store-memory=200000000"
PORT = 8265


class Laptop:
    """A token, a key, and the filled-in ``cluster/onprem.yaml``.

    Attributes:
        public_key: that the hosts' user must accept.
        file: the filled-in one, after :meth:`fill_in`.
        address: of the dashboard, while there is a tunnel.
    """

    def __init__(self) -> None:
        self.file = HOME / "onprem-mine.yaml"
        self.address = f"http://127.0.0.1:{PORT}"
        (HOME / ".ssh").mkdir(parents=True, mode=0o700)
        key = HOME / ".ssh/raysearch"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        self.public_key = key.with_suffix(".pub").read_text()
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY")}
        self._environment |= {
            "HOME": str(HOME),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONWARNINGS": "ignore",
        }

    @property
    def token(self) -> str:
        """The cluster's."""
        return (HOME / ".ray/auth_token").read_text().strip()

    def make_token(self) -> None:
        """As the README says."""
        self._run(
            ["bash", "-c", "umask 077; ray get-auth-token --generate > /dev/null"], timeout=60
        )

    def fill_in(self, head: Host, workers: Sequence[Host]) -> None:
        """Write the committed file with the hosts' addresses and the size of a node."""
        text = (CHECKOUT / "cluster/onprem.yaml").read_text()
        ips = ", ".join(host.ip for host in workers)
        for old, new, times in (
            ("192.0.2.10", head.ip, 1),
            ("[192.0.2.11, 192.0.2.12]", f"[{ips}]", 1),
            ("ray start --head", f"ray start --head {SMALL_NODE}", 1),
            ("ray start --address", f"ray start {SMALL_NODE} --address", 1),
        ):
            assert text.count(old) == times, f"cluster/onprem.yaml: {old!r} is not there"
            text = text.replace(old, new)
        self.file.write_text(text)

    def ssh(self, host: Host, command: str, *, check: bool = True) -> str:
        """What ``command`` prints on ``host``, through SSH as the cluster's user."""
        line = ["ssh", *self._ssh_options(), f"{USER}@{host.ip}", command]
        return self._run(line, timeout=60, check=check).stdout

    def fetch(self, host: Host, source: str, target: Path) -> None:
        """Copy a folder of ``host`` to ``target``, here."""
        remote = " ".join(["ssh", *self._ssh_options()])
        self._run(
            ["rsync", "-a", "-e", remote, f"{USER}@{host.ip}:{source}/", f"{target}/"], timeout=120
        )

    def send(self, host: Host, source: Path, target: str) -> None:
        """Copy a file, or what is in a folder, to ``target`` on ``host``."""
        remote = " ".join(["ssh", *self._ssh_options()])
        name = f"{source}/" if source.is_dir() else str(source)
        command = ["rsync", "-a", "--exclude=__pycache__", "-e", remote, name]
        self._run([*command, f"{USER}@{host.ip}:{target}"], timeout=120)

    def ray(self, *arguments: str, timeout: float = 400) -> None:
        """A command of Ray's launcher, from the project's folder; ``ray-VERB.log`` has its words.

        Raises:
            AssertionError: it failed.
        """
        log = RESULTS / f"ray-{arguments[0]}.log"
        with log.open("a", encoding="utf-8") as file:
            code = subprocess.run(
                ["ray", *arguments],
                env=self._environment,
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                timeout=timeout,
            ).returncode
        assert code == 0, f"ray {arguments[0]}: {log.read_text()}"

    def path(self, local: str) -> Path:
        """A path of the cluster's file, as the launcher finds it."""
        return CHECKOUT / (HOME / local[2:] if local.startswith("~/") else local)

    def reaches(self, host: Host, port: int) -> bool:
        """Whether something answers there."""
        try:
            socket.create_connection((host.ip, port), timeout=3).close()
        except OSError:
            return False
        return True

    def python(self, code: str) -> str:
        """What ``code`` prints here, without the token."""
        return self._run([sys.executable, "-c", code], timeout=60).stdout

    def raysearch(
        self, *arguments: str, timeout: float = 300, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """One of its verbs, with ``variables`` added to the environment."""
        command = [sys.executable, "-m", "raysearch", *arguments]
        return self._run(command, timeout=timeout, check=False, **variables)

    def ok(self, *arguments: str, timeout: float = 300) -> str:
        """What a verb prints that must succeed."""
        done = self.raysearch(*arguments, timeout=timeout)
        assert done.returncode == 0, f"raysearch {arguments[0]}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def tunnel(self) -> Iterator[None]:
        """``ray dashboard FILE``, held open."""
        with (RESULTS / "ray-dashboard.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                ["ray", "dashboard", str(self.file)],
                env=self._environment,
                cwd=CHECKOUT,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
            try:
                _wait_for_port(process)
                yield
            finally:
                os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C: its ssh is to end, too
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=15)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def _ssh_options(self) -> list[str]:
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
        options += ["BatchMode=yes", "IdentitiesOnly=yes", "ConnectTimeout=5"]
        return ["-i", str(HOME / ".ssh/raysearch"), *[f"-o{option}" for option in options]]

    def _run(
        self, command: Sequence[str], *, timeout: float, check: bool = True, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            command,
            env={**self._environment, **variables},
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert not check or done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
        return done


def _wait_for_port(process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, "ray dashboard ended; see ray-dashboard.log"
            assert time.monotonic() < deadline, "no tunnel within a minute"
            time.sleep(0.5)
