"""What this machine must grant for a private Ray to start: a short folder, a token, free names."""

import contextlib
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from raysearch.errors import InfrastructureError
from raysearch.ray_cluster.own_token import TOKEN_FILE, own_token

__all__ = ["ShortFolder", "local_environment", "needs_own_token", "shadowed_names", "short_folder"]

# A socket's path holds 107 bytes. Below its folder Ray adds
# /session_2026-01-31_23-59-59_123456_1234567/sockets/plasma_store.
_MAX_BYTES = 107 - 64
_OTHERS = ("/tmp", "/var/tmp", "/dev/shm")


@dataclass(frozen=True, slots=True)
class ShortFolder:
    """A folder for Ray's session whose path is short enough for its sockets.

    Attributes:
        path: of the folder; None to leave it to Ray.
        reason: why Ray's own choice would not do; empty if it does.
    """

    path: str | None
    reason: str = ""


def short_folder() -> ShortFolder:
    """Find a folder that can be written and whose path leaves room for Ray's sockets.

    Raises:
        InfrastructureError: there is none; the message names the variable to set.
    """
    name = next((n for n in ("RAY_TMPDIR", "TMPDIR") if os.environ.get(n)), "")
    wanted = os.environ.get(name) or "/tmp"
    why = _unfit(Path(wanted) / "ray")
    if not why:
        return ShortFolder(None)
    told = f"{name or 'the folder'} {wanted}: {why}"
    for base in _OTHERS:
        for folder in (Path(base) / "ray", Path(base) / f"ray-{os.getuid()}"):
            if not _unfit(folder):
                return ShortFolder(str(folder), told)
    raise InfrastructureError(
        f"Ray has no folder for its sockets: {told}; set RAY_TMPDIR to a folder that can be "
        f"written, its name at most {_MAX_BYTES - 4} letters long"
    )


def _unfit(folder: Path) -> str:
    """Why Ray's sessions cannot lie in ``folder``; empty if they can."""
    if len(os.fsencode(folder.absolute())) > _MAX_BYTES:
        return f"its name is longer than the {_MAX_BYTES - 4} letters that Ray's sockets leave"
    there = _nearest(folder)
    if there not in (folder.absolute(), folder.absolute().parent):
        return "no such folder"
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return "it cannot be written"
    return ""


def _nearest(folder: Path) -> Path:
    """``folder``, or the nearest one above it that is there."""
    folder = folder.absolute()
    return next(one for one in (folder, *folder.parents) if os.access(one, os.F_OK))


def needs_own_token() -> bool:
    """Tell whether Ray would make a token that it cannot store, as in a read-only home.

    Raises:
        UserError: there is a token, and it is not one.
    """
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token" or own_token():
        return False
    try:
        folder = Path(TOKEN_FILE).expanduser().parent
    except RuntimeError:  # a user without a home
        return True
    there = _nearest(folder)
    return not (there.is_dir() and os.access(there, os.W_OK | os.X_OK))


def shadowed_names() -> list[str]:
    """Return the names of standard modules that a file of the working folder hides."""
    try:
        names = {Path(name).stem if name.endswith(".py") else name for name in os.listdir()}
    except OSError:
        return []
    found = sorted(names & sys.stdlib_module_names)
    return [n for n in found if Path(f"{n}.py").is_file() or Path(n, "__init__.py").is_file()]


@contextlib.contextmanager
def local_environment() -> Iterator[str | None]:
    """The environment in which a private Ray is started; its folder, or None for Ray's own choice.

    Its processes inherit its address, as helpers of Ray Train look for "the" Ray instance, and
    several may run on a machine. A runtime environment could say it, too; but then no worker
    would start before Ray's agent for these is up, and none that Ray starts in advance be used.

    Raises:
        InfrastructureError: as ``short_folder``.
        UserError: as ``needs_own_token``.
    """
    chosen = short_folder()
    port = _free_port()
    # For ray.init alone: a process started later would take them for its own Ray's.
    given = {"RAY_GCS_SERVER_PORT": str(port), "RAY_ADDRESS": f"127.0.0.1:{port}"}
    if needs_own_token():
        # Not given back: whatever this process asks of its Ray afterwards needs it as well.
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        # Compiled functions of librosa are kept in the home, too.
        os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / "numba"))
    if chosen.path:
        given["TMPDIR"] = str(Path(chosen.path).parent)  # Python's own sockets lie there
    if shadowed_names():
        given["PYTHONSAFEPATH"] = "1"
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield chosen.path
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
