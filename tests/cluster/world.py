"""A small world for the cluster test: namespaces of its own, in which the test runs again.

It has its own network, processes, /tmp and home; this machine's are out of its reach. Every
process in it ends with its first one, and that one with whoever started it, so nothing stays.
"""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = [
    "CHECKOUT",
    "HOME",
    "LAPTOP_IP",
    "RESULTS",
    "SCRIPT",
    "SHARED",
    "die_with_parent",
    "enter",
    "footprint",
    "kept_in_sight",
    "make_network",
]

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("private_folders.sh")
BRIDGE, LAPTOP_IP = "raysearch0", "10.77.0.1"
# What stands for the folder that all hosts mount by NFS, and where the fetched results go.
SHARED, RESULTS = Path("/mnt/shared"), Path("/mnt/out")
# ssh looks for keys in the home that /etc/passwd names, whatever HOME says.
HOME = Path(pwd.getpwuid(0).pw_dir)
HIDDEN = (str(HOME), "/mnt", "/tmp", "/var/tmp", "/run", "/dev/shm")
TOOLS = ("ip", "unshare", "nsenter", "mount", "rsync", "ssh", "ssh-keygen", "/usr/sbin/sshd")


def enter(script: Path, arguments: Sequence[str], out: Path, log: Path) -> int:
    """Run ``script`` with ``arguments`` in a new world; what it prints goes to ``log``, too.

    Args:
        script: sees this checkout and its interpreter, and ``out`` as ``RESULTS``.
        arguments: of the script.
        out: a folder, for what is to outlive the world.
        log: a file.

    Returns:
        Its exit status.
    """
    _check_tools()
    command = ["unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child"]
    command += ["--mount-proc", "--", "bash", str(SCRIPT), *HIDDEN, "--", f"{out}={RESULTS}"]
    command += kept_in_sight(HIDDEN, (CHECKOUT, *_interpreter()))
    command += ["--", sys.executable, "-u", str(script), *arguments]
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                print(line, end="", flush=True)
                file.write(line)
                file.flush()
            return process.wait()
        finally:
            process.kill()
            process.wait()


def _check_tools() -> None:
    if os.geteuid() != 0:
        sys.exit("the cluster test makes namespaces: run it as root")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        sys.exit(
            f"the cluster test needs {', '.join(missing)}; on Debian and Ubuntu: "
            "apt-get install iproute2 util-linux openssh-server openssh-client rsync"
        )


def _interpreter() -> tuple[Path, Path]:
    """The environment, and the installation that it is made from."""
    return Path(sys.prefix), Path(sys.base_prefix)


def kept_in_sight(hidden: Iterable[str], folders: Iterable[Path] = ()) -> list[str]:
    """The ``folders`` (by default the interpreter's) that lie in hidden ones, where they are."""
    covered = tuple(f"{folder}/" for folder in hidden)
    kept = [str(folder) for folder in (folders or _interpreter())]
    return [f"{folder}={folder}=ro" for folder in kept if folder.startswith(covered)]


def die_with_parent() -> None:
    """Have the kernel kill the calling process, which is to run a command, with its parent."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def make_network() -> None:
    """The bridge that the hosts are plugged into; this world is the user's machine on it."""
    for arguments in (
        f"link add {BRIDGE} type bridge",
        f"address add {LAPTOP_IP}/24 dev {BRIDGE}",
        f"link set {BRIDGE} up",
        "link set lo up",
    ):
        subprocess.run(["ip", *arguments.split()], check=True)
    # The hosts' way out ends here; forwarding says so at once where silence would be waited for.
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def footprint() -> dict[str, set[str]]:
    """What a world that was not taken down would leave: links, mounts, process namespaces."""
    spaces = set()
    for link in Path("/proc").glob("[0-9]*/ns/pid"):
        try:
            spaces.add(os.readlink(link))
        except OSError:
            continue  # it has just ended
    return {
        "network links": {path.name for path in Path("/sys/class/net").iterdir()},
        "mounts": {line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()},
        "process namespaces": spaces,
    }
