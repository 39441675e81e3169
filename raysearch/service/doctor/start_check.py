"""Whether a private Ray can start here: what is in the way, or what is gone round."""

from collections.abc import Iterator

from raysearch.errors import RaysearchError
from raysearch.ray_cluster.local_ray import needs_own_token, shadowed_names, short_folder
from raysearch.service.doctor.findings import Finding, listed

__all__ = ["check_start"]


def check_start() -> Iterator[Finding]:
    """A finding for each of Ray's folder, this process' token, and the working folder's names."""
    try:
        if reason := short_folder().reason:
            yield Finding("warning", "sockets", f"{reason}; Ray takes another", "set RAY_TMPDIR")
    except RaysearchError as error:
        yield Finding("failed", "sockets", str(error), "set RAY_TMPDIR to /tmp or alike")
    try:
        if needs_own_token():
            text = "HOME cannot be written: each search has a token of its own"
            yield Finding("warning", "token", text, "set HOME, or export RAY_AUTH_TOKEN")
    except RaysearchError as error:
        yield Finding("failed", "token", str(error), "ray get-auth-token --generate makes one")
    if names := shadowed_names():
        text = f"the working folder's {listed(names)} hide Python's own modules of those names"
        yield Finding("warning", "folder", text, "rename them, or start from another folder")
