"""A search under fire: many short trials on two slots, and a fault every few seconds.

    python tests/soak/soak.py [--trials N] [--every S] [--minutes M] [--out FOLDER]

Workers, hosts and nodes are killed, the store refuses and breaks, the disk is full, ranks hang. At
the end every trial must be accounted for, none may have failed but by its own settings, and memory
must be flat. All of it takes place in namespaces of its own, which end with this script: it needs
root, and nothing that it starts, mounts or kills is this machine's.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

INSIDE = "--inside"
TOOLS = ("bash", "ip", "mount", "setpriv", "unshare")


def main() -> int:
    """Go inside and soak there; 0 if the search came through."""
    options = _options().parse_args()
    if options.inside:
        from under_fire import soak  # not before: it imports Ray

        return soak(options)
    if os.geteuid() != 0:
        sys.exit("the soak makes namespaces and mounts a small disk: run it as root")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        sys.exit(
            f"the soak needs {', '.join(missing)}; on Debian: apt-get install util-linux iproute2"
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
        # The world ends with us, and with it everything in it.
        world = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid"]
        world += ["--ipc", "--fork", "--kill-child", "--mount-proc", "--"]
        # A shell comes first, for the first process has to bury the orphans.
        shell = ["bash", "-c", '"$@"; exit $?', "soak"]
        inner = [sys.executable, "-u", __file__, *sys.argv[1:], INSIDE, folder]
        return subprocess.call([*world, *shell, *inner])


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soak.py", description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200, metavar="N", help="in all")
    parser.add_argument("--every", type=float, default=20, metavar="S", help="from fault to fault")
    parser.add_argument("--minutes", type=float, default=58, metavar="M", help="then it has failed")
    parser.add_argument("--faults", type=int, metavar="N", help="so many there must be at least")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is hit, and when")
    parser.add_argument("--out", type=Path, default=Path("results/soak"), metavar="FOLDER")
    parser.add_argument(INSIDE, type=Path, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
