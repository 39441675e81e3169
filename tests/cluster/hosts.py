"""The hosts of the cluster test: each with network, processes, /tmp, home and sshd of its own.

A host has what ``cluster/onprem.yaml`` asks for: a user ``raysearch`` that accepts the cluster's
key, Python, rsync and the shared folder. Downloading the environment (5 GB a host) is not part of
this test: ``~/raysearch/.venv`` is laid out beforehand over the packages of the interpreter that
runs the test, with the mark by which ``cluster/setup_node.sh`` knows an environment that is whole.
The script itself runs as it is; if the mark is not the one it expects, it goes to pip and fails.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from world import BRIDGE, CHECKOUT, LAPTOP_IP, SCRIPT, SHARED, die_with_parent, kept_in_sight

__all__ = ["HOME", "UID", "USER", "Host"]

USER, UID = "raysearch", 61077
HOME = Path("/home") / USER
HIDDEN = ("/tmp", "/var/tmp", "/run", "/dev/shm", "/home", "/root", "/mnt")
SSHD_CONFIG = """\
HostKey {folder}/host_key
PidFile none
UsePAM no
UseDNS no
PasswordAuthentication no
PermitRootLogin no
AllowUsers {user}
"""


class Host:
    """One host; it is up once made.

    Args:
        number: from 1, in its name and address.
        public_key: of the key that its user accepts.

    Attributes:
        name, ip: as the cluster's file names it.
        log: what its sshd says.
    """

    def __init__(self, number: int, public_key: str) -> None:
        self.name, self.ip = f"raysearch-{number}", f"10.77.0.{10 + number}"
        self._cable = f"cable{number}"
        self._folder = Path("/mnt/hosts") / self.name
        self._folder.mkdir(parents=True)
        self.log = self._folder / "sshd.log"
        self._write_files(public_key)
        self._process = self._start()
        self._pid = self._first_process()
        self._plug_in()
        self._wait_for_sshd()

    def set_link(self, state: str) -> None:
        """Pull its cable (``down``) or put it back (``up``)."""
        subprocess.run(["ip", "link", "set", self._cable, state], check=True)

    def run(self, *command: str) -> str:
        """What ``command`` prints on the host, run by its root, not through SSH."""
        inside = ["nsenter", "--target", str(self._pid), "--all", "--"]
        return subprocess.run(
            [*inside, *command], check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def processes(self) -> list[str]:
        """The command lines of all its processes, without its sshd's."""
        space = os.readlink(f"/proc/{self._pid}/ns/pid")
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(folder / "ns/pid") == space:
                    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                    found.append(line)
            except OSError:
                continue  # it has just ended
        return [line for line in found if line and "sshd" not in line.partition(" ")[0]]

    def save_logs(self, folder: Path) -> None:
        """Put what its sshd and its Ray have written into ``folder``."""
        shutil.copy(self.log, folder / f"{self.name}-sshd.log")
        pack = "mkdir -p /tmp/ray; cd /tmp/ray; tar --ignore-failed-read -czf - . --exclude=sockets"
        with (folder / f"{self.name}-ray.tgz").open("wb") as out:
            inside = ["nsenter", "--target", str(self._pid), "--all", "--", "sh", "-c", pack]
            subprocess.run(inside, stdout=out, stderr=subprocess.DEVNULL, timeout=120)

    # ---- how it is made ----------------------------------------------------------------------

    def _write_files(self, public_key: str) -> None:
        home = self._folder / "home"
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        (home / ".ssh/authorized_keys").write_text(public_key)
        # Debian's python3 may be older than 3.11; the test's own is not.
        (home / ".bash_profile").write_text(f"PATH={Path(_python()).parent}:$PATH\n")
        _lay_out_environment(home / "raysearch")
        subprocess.run(["chown", "-R", f"{UID}:{UID}", str(home)], check=True)
        os.chmod(home, 0o750)
        key = self._folder / "host_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        config = SSHD_CONFIG.format(folder="/mnt/host", user=USER)
        (self._folder / "sshd_config").write_text(config)
        etc = self._folder / "etc"
        etc.mkdir()
        for file, line in (
            ("passwd", f"{USER}:x:{UID}:{UID}::{HOME}:/bin/bash\n"),
            ("group", f"{USER}:x:{UID}:\n"),
            ("shadow", f"{USER}:*:20000:0:99999:7:::\n"),
        ):
            shutil.copy(Path("/etc") / file, etc / file)
            with (etc / file).open("a", encoding="utf-8") as out:
                out.write(line)
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n{self.ip} {self.name}\n")
        (etc / "resolv.conf").write_text("")

    def _start(self) -> "subprocess.Popen[bytes]":
        shown = [f"{self._folder}/home={HOME}", f"{SHARED}={SHARED}"]
        shown += [f"{self._folder}/{name}=/mnt/host/{name}" for name in ("host_key", "sshd_config")]
        shown += [f"{path}=/etc/{path.name}=ro" for path in (self._folder / "etc").iterdir()]
        command = ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork"]
        command += ["--kill-child", "--mount-proc", "--", "bash", str(SCRIPT), *HIDDEN, "--"]
        command += [*shown, *kept_in_sight(HIDDEN), "--", "bash", "-euc"]
        # sshd gives up its privileges in a folder that a boot would have made. As the first
        # process it also buries the orphans, which `ray stop` would take for living.
        sshd = f"hostname {self.name}; mkdir /run/sshd; exec /usr/sbin/sshd -D -e"
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*command, f"{sshd} -f /mnt/host/sshd_config"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )

    def _first_process(self) -> int:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        deadline = time.monotonic() + 20
        while not (found := children.read_text().split()):
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        return int(found[0])

    def _plug_in(self) -> None:
        for arguments in (
            f"link add {self._cable} type veth peer name eth0 netns {self._pid}",
            f"link set {self._cable} master {BRIDGE} up",
        ):
            subprocess.run(["ip", *arguments.split()], check=True)
        for arguments in (
            "link set lo up",
            f"address add {self.ip}/24 dev eth0",
            "link set eth0 up",
            f"route add default via {LAPTOP_IP}",  # Ray finds its address by a way out
        ):
            inside = ["nsenter", "--target", str(self._pid), "--net", "ip"]
            subprocess.run([*inside, *arguments.split()], check=True)

    def _wait_for_sshd(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((self.ip, 22), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.1)


def _python() -> str:
    """The interpreter that virtual environments are made from."""
    return os.path.realpath(sys.executable)


def _lay_out_environment(project: Path) -> None:
    """What ``pip install -e .`` in a new environment would have left, without the download."""
    environment, home = project / ".venv", HOME / project.name
    packages = environment / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    packages.mkdir(parents=True)
    (environment / "bin").mkdir()
    (environment / "pyvenv.cfg").write_text(
        f"home = {Path(_python()).parent}\ninclude-system-site-packages = false\n"
    )
    for name in ("python", "python3"):
        (environment / "bin" / name).symlink_to(_python())
    (packages / "raysearch.pth").write_text(f"{home}\n{sysconfig.get_path('purelib')}\n")
    for name, module in (("ray", "ray.scripts.scripts"), ("raysearch", "raysearch.__main__")):
        script = environment / "bin" / name
        script.write_text(
            f"#!{home}/.venv/bin/python\nimport sys\nfrom {module} import main\nsys.exit(main())\n"
        )
        script.chmod(0o755)
    (environment / ".installed").write_text(_mark() + "\n")


def _mark() -> str:
    """As the script computes it for a node without packages of its own."""
    mark = hashlib.sha256(b"\n")
    for name in ("pyproject.toml", "constraints.txt"):
        mark.update((CHECKOUT / name).read_bytes())
    return f"{mark.hexdigest()}  -"
