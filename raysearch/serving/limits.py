"""What a server takes: the largest request, the longest recording; and how it refuses the rest."""

from dataclasses import dataclass
from http import HTTPStatus

__all__ = ["Limits", "RefusedError"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one request.

    Attributes:
        max_mib: its size, in MiB.
        max_s: the recording's length, in seconds.
    """

    max_mib: int = 64
    max_s: int = 600

    @property
    def max_bytes(self) -> int:
        """The largest request."""
        return self.max_mib << 20


class RefusedError(Exception):
    """A request that is answered with an error; the message is one sentence for its sender.

    Attributes:
        status: the answer's.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
