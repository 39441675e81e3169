"""A cluster of three hosts on this machine, from ``ray up`` to ``ray down``: ``make cluster-test``.

    python tests/cluster/run.py [--log FILE] [--out DIR] [--hosts-only]

Needs root, an SSH server and rsync; takes about a quarter of an hour. See hosts.py for what a host
is, and for the one thing that is laid out beforehand. Steps are logged with the time and the
seconds since the start; the first that fails ends the test with status 1. What comes back is in
``--out``: the log, what Ray's launcher said, the fetched results, a picture of the dashboard.
"""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import world
from ground import lay_ground, set_up_by_hand, three_hosts
from laptop import Laptop
from proof import prove
from steps import Steps

if TYPE_CHECKING:
    from hosts import Host

SELF = Path(__file__).resolve()


def main() -> int:
    """Outside: make the world and see that nothing of it stays. Inside: the proof."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder of what comes back (default: a new one)")
    parser.add_argument("--log", type=Path, help="the steps (default: OUT/steps.log)")
    parser.add_argument("--hosts-only", action="store_true", help="the hosts alone, without Ray")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        return _inside(arguments.hosts_only)
    out = (arguments.out or Path(tempfile.mkdtemp(prefix="raysearch-cluster-"))).resolve()
    out.mkdir(parents=True, exist_ok=True)
    log = arguments.log or out / "steps.log"
    before = world.footprint()
    passed_on = ["--inside", *(["--hosts-only"] if arguments.hosts_only else [])]
    status = world.enter(SELF, passed_on, out, log)
    left = _left(before)
    verdict = "passed" if status == 0 and not left else f"FAILED {left or ''}".strip()
    with log.open("a", encoding="utf-8") as file:
        for text in (f"left on this machine: {left or 'nothing'}", f"{verdict}; see {out}"):
            print(text)
            print(text, file=file)
    return int(verdict != "passed")


def _left(before: dict[str, set[str]]) -> str:
    """What there is now that was not there before, once the kernel had time to clean up."""
    deadline = time.monotonic() + 10
    while True:
        after = world.footprint()
        new = [f"{kind}: {', '.join(sorted(after[kind] - before[kind]))}" for kind in after]
        new = [text for text in new if not text.endswith(": ")]
        if not new or time.monotonic() > deadline:
            return "; ".join(new)
        time.sleep(0.5)


def _inside(hosts_only: bool) -> int:
    steps = Steps()
    hosts: list[Host] = []
    try:
        laptop = Laptop()
        hosts = three_hosts(laptop)
        lay_ground(steps, laptop, hosts)
        step = set_up_by_hand if hosts_only else prove
        step(steps, laptop, hosts)
    except Exception:
        traceback.print_exc(file=sys.stdout)
        for host in hosts:
            host.save_logs(world.RESULTS)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
