"""Waits until so many nodes have joined a Ray cluster: ``wait_for_nodes.py ADDRESS NODES SECONDS``.

Exits 1 with the reason when the time is over.
"""

import socket
import sys
import time

import ray

__all__ = ["wait_for_nodes"]


def wait_for_nodes(address: str, wanted: int, seconds: float) -> None:
    """Return once ``wanted`` nodes are alive.

    Args:
        address: of the head, ``host:port``.
        wanted: nodes, the head included.
        seconds: how long to wait in all.

    Raises:
        TimeoutError: too few joined; the message says how many.
    """
    end = time.monotonic() + seconds
    num_joined = 0
    while time.monotonic() < end:
        num_joined = _num_alive(address)
        if num_joined >= wanted:
            return
        time.sleep(1)
    raise TimeoutError(f"{num_joined} of {wanted} nodes joined {address} within {seconds:g} s")


def _num_alive(address: str) -> int:
    host, _, port = address.rpartition(":")
    try:
        # Asked first: where nobody listens, ray.init alone takes the better part of a minute.
        socket.create_connection((host, int(port)), timeout=1).close()
        if not ray.is_initialized():
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError):
        return 0  # the head is not up yet
    return sum(bool(node["Alive"]) for node in ray.nodes())


if __name__ == "__main__":
    try:
        wait_for_nodes(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    except TimeoutError as error:
        sys.exit(f"wait_for_nodes.py: {error}")
