"""The body of a request to a waveform: what is too large, too long or no audio is refused."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import IO

from raysearch.corpora.header import HeaderError, read_header
from raysearch.features.audio import AudioError, Waveform, read_waveform
from raysearch.serving.limits import Limits, RefusedError

__all__ = ["decoded", "receive"]

BODY = "send the recording itself as the body, as curl --data-binary @FILE does"


async def receive(
    chunks: AsyncIterator[bytes], declared: str | None, limits: Limits, file: IO[bytes]
) -> None:
    """Write a request's body to ``file``, as far as the limit lets it.

    Args:
        chunks: the body as it arrives.
        declared: the header that tells its length, if there is one.
        limits: how large it may be.
        file: where it goes.

    Raises:
        RefusedError: there is none, or it is larger than may be.
    """
    if declared and declared.isdecimal() and int(declared) > limits.max_bytes:
        raise _too_large(limits)
    received = 0
    async for chunk in chunks:
        received += len(chunk)
        if received > limits.max_bytes:
            raise _too_large(limits)
        file.write(chunk)
    file.flush()
    if not received:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"The request has no body: {BODY}.")


def decoded(path: str, limits: Limits) -> Waveform:
    """The recording that lies at ``path``; its length is checked before it is decoded, too.

    Raises:
        RefusedError: it is no audio that can be used, or longer than may be.
    """
    try:
        _check_length(read_header(path).duration_s, limits)
        waveform = read_waveform(path)
    except (AudioError, HeaderError) as error:
        raise no_audio(error) from None
    _check_length(waveform.duration_s, limits)
    return waveform


def no_audio(error: AudioError | HeaderError) -> RefusedError:
    """What is answered to audio that cannot be used."""
    reason = error.reason if isinstance(error, AudioError) else str(error)
    return RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"This recording cannot be used: {reason}."
    )


def _too_large(limits: Limits) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The request is larger than the {limits.max_mib} MiB that this server takes.",
    )


def _check_length(seconds: float, limits: Limits) -> None:
    if seconds > limits.max_s:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The recording is {seconds:.1f} s long, and this server takes {limits.max_s} s.",
        )
