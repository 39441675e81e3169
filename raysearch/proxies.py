"""Which hosts are spoken to directly, whatever ``http_proxy`` says.

A proxy cannot reach this machine's loopback, and it has no business with the token of a cluster.
``RAYSEARCH_USE_PROXY=1`` leaves the choice to the environment's own ``no_proxy``.
"""

import os

__all__ = ["ASKED", "speak_directly"]

ASKED = "RAYSEARCH_USE_PROXY"
_LOOPBACK = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1")
_NAMES = ("no_proxy", "NO_PROXY")


def speak_directly(*hosts: str) -> None:
    """Take loopback and ``hosts`` out of what this process, and those it starts, use a proxy for.

    requests, Ray's job client and obstore all heed the variables that are set here.
    """
    if os.environ.get(ASKED, "0").lower() not in ("", "0", "false", "no"):
        return
    for name in _NAMES:
        # The lower-case name goes before the other, so what only one of them holds must be in both.
        given = os.environ.get(name) or next(filter(None, map(os.environ.get, _NAMES)), "")
        known = [host.strip() for host in given.split(",") if host.strip()]
        new = [host for host in (*_LOOPBACK, *hosts) if host and host not in known]
        os.environ[name] = ",".join([*known, *dict.fromkeys(new)])
