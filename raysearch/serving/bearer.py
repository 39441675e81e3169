"""The token that a server's clients show: where it comes from, and whether it is the right one."""

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from raysearch.errors import UserError
from raysearch.paths import why_not
from raysearch.ray_cluster.own_token import MAX_TOKEN_BYTES, checked_token

__all__ = ["VARIABLE", "ServerToken", "given_token", "is_loopback", "may_enter"]

VARIABLE = "RAYSEARCH_TOKEN"
_LEAST_LETTERS = 16
_AS_WHAT = "as `openssl rand -hex 32` prints one"


@dataclass(frozen=True, slots=True)
class ServerToken:
    """What clients have to show.

    Attributes:
        text: the token; empty if none is needed.
        made_here: whether nobody else knows it yet.
    """

    text: str
    made_here: bool = False

    @property
    def digest(self) -> str:
        """What a server keeps of it, which cannot be shown in its place; empty without one."""
        return _digest(self.text) if self.text else ""


def given_token(file: Path | None, host: str) -> ServerToken:
    """The token of a server at ``host``.

    A given one is needed everywhere. Where none was given one is made, unless only this machine
    can reach the server.

    Args:
        file: holds the token; without it ``RAYSEARCH_TOKEN`` does, if it is set.
        host: where the server listens.

    Raises:
        UserError: it cannot be read, or is no token.
    """
    text = _read(file) if file is not None else _of_environment()
    if text:
        return ServerToken(text)
    return ServerToken("") if is_loopback(host) else ServerToken(secrets.token_hex(32), True)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens at ``host``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def may_enter(authorization: str | None, digest: str) -> bool:
    """Whether a request with this header shows the token that ``digest`` is of."""
    if not digest:
        return True
    scheme, _, shown = (authorization or "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(_digest(shown.strip()), digest)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def _of_environment() -> str:
    given = os.environ.get(VARIABLE, "")
    return _checked(given.encode(errors="surrogateescape"), VARIABLE) if given.strip() else ""


def _read(file: Path) -> str:
    where = f"--token-file {file}"
    try:
        with file.expanduser().open("rb") as opened:
            content = opened.read(MAX_TOKEN_BYTES + 1)
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{where}: cannot be read: {why_not(error)}") from None
    return _checked(content, where)


def _checked(content: bytes, where: str) -> str:
    text = checked_token(content, where, _AS_WHAT)
    if len(text) < _LEAST_LETTERS:
        raise UserError(
            f"{where}: a token of fewer than {_LEAST_LETTERS} letters; write one {_AS_WHAT}"
        )
    return text
