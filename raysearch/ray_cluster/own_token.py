"""This process' Ray token, from where Ray itself looks for one, checked as it is read."""

import os
from pathlib import Path

from raysearch.errors import UserError
from raysearch.paths import why_not

__all__ = ["MAX_TOKEN_BYTES", "TOKEN_FILE", "checked_token", "own_token"]

TOKEN_FILE = "~/.ray/auth_token"
MAX_TOKEN_BYTES = 4096
_AS_PRINTED = "as `ray get-auth-token` prints it"


def own_token() -> str:
    """Return this process' Ray token, from where Ray looks for it; empty if there is none.

    Raises:
        UserError: its file cannot be read, or it is not one line of printable ASCII, which is all
            that a header can carry.
    """
    given = os.environ.get("RAY_AUTH_TOKEN", "")
    if given.strip():
        return checked_token(given.encode(errors="surrogateescape"), "RAY_AUTH_TOKEN", _AS_PRINTED)
    named = os.environ.get("RAY_AUTH_TOKEN_PATH", "")
    where = f"RAY_AUTH_TOKEN_PATH ({named})" if named else TOKEN_FILE
    try:
        path = Path(named or TOKEN_FILE).expanduser()
        with path.open("rb") as file:
            content = file.read(MAX_TOKEN_BYTES + 1)
    except FileNotFoundError:
        if named:
            raise UserError(f"{where}: no such token file; correct it or unset it") from None
        return ""
    except PermissionError as error:
        if not named:  # another user's home, as in many containers
            return ""
        raise UserError(f"{where}: the token's file cannot be read: {why_not(error)}") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{where}: the token's file cannot be read: {why_not(error)}") from None
    return checked_token(content, where, _AS_PRINTED)


def checked_token(content: bytes, where: str, as_what: str) -> str:
    """The token that ``content`` is, without what surrounds it; empty if there is none.

    Args:
        content: as it was read.
        where: it was read from, for messages.
        as_what: how it should be written, for messages.

    Raises:
        UserError: it is too long, or not one line of printable ASCII.
    """
    text = content.removeprefix(b"\xef\xbb\xbf").strip()
    if len(text) > MAX_TOKEN_BYTES:
        raise UserError(f"{where}: longer than a token may be ({MAX_TOKEN_BYTES} bytes)")
    if b"\n" in text or b"\r" in text:
        raise UserError(f"{where}: the token is more than one line; leave the token alone in it")
    if not all(33 <= byte < 127 for byte in text):
        raise UserError(
            f"{where}: the token holds letters that no token has (a typographic mark, a space, or "
            f"another encoding); write it anew, {as_what}"
        )
    return text.decode("ascii")
