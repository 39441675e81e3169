"""The HTTP of a server: ``POST /predict``, ``GET /health``, and the page at ``/``."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from tempfile import NamedTemporaryFile

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from raysearch.features.audio import AudioError
from raysearch.serving.answer import Answer, Question
from raysearch.serving.bearer import may_enter
from raysearch.serving.intake import BODY, decoded, no_audio, receive
from raysearch.serving.limits import Limits, RefusedError
from raysearch.serving.web_page import Page, read_page

__all__ = ["ServerFacts", "WebApp"]

Answering = Callable[[Question], Awaitable[Answer | Exception]]

# What answers are not: pages, scripts, or anything to keep.
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_SWITCH = {"": True, "1": True, "true": True, "0": False, "false": False}
_ODD_QUERY = "The only parameter is timeline, with the values 1 and 0."


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server knows of itself.

    Attributes:
        model: what its model is called.
        labels: the emotions.
        limits: what it takes.
        token_digest: of the token that its clients show; empty if they need none.
    """

    model: str
    labels: Sequence[str]
    limits: Limits
    token_digest: str


class WebApp:
    """The routes, and what each answers.

    Args:
        facts: what it tells of itself, and what it lets in.
        answering: gives the answer to a question, or why there is none.
    """

    def __init__(self, facts: ServerFacts, answering: Answering) -> None:
        self._facts = facts
        self._answering = answering
        self._page: Page = read_page()

    def asgi(self) -> Starlette:
        """The application; every error that it answers is a JSON object with one sentence."""
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/health", self.health),
                Route("/predict", self.predict, methods=["POST"]),
            ],
            exception_handlers={
                RefusedError: _refused,
                HTTPException: _of_http,
                ClientDisconnect: _gone,
                Exception: _unforeseen,
            },
        )

    async def page(self, request: Request) -> Response:
        """The page, which a browser needs no token for: it holds nothing."""
        del request
        return HTMLResponse(self._page.html, headers={**_HEADERS, **self._page.headers})

    async def health(self, request: Request) -> Response:
        """That a model is loaded and answers, and what may be sent to it."""
        del request
        facts = self._facts
        content = {
            "status": "ok",
            "model": facts.model,
            "labels": list(facts.labels),
            "token": bool(facts.token_digest),
            **asdict(facts.limits),
        }
        return JSONResponse(content, headers=_HEADERS)

    async def predict(self, request: Request) -> Response:
        """The emotion of the recording that is the request's body."""
        if not may_enter(request.headers.get("authorization"), self._facts.token_digest):
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED,
                "This server wants its token: send it as Authorization: Bearer TOKEN.",
            )
        asked = _timeline_asked(request)
        limits = self._facts.limits
        with NamedTemporaryFile(prefix="raysearch-") as file:
            declared = request.headers.get("content-length")
            await receive(request.stream(), declared, limits, file.file)
            waveform = await asyncio.to_thread(decoded, file.name, limits)
        answer = await self._answering(Question(waveform, asked))
        if isinstance(answer, AudioError):
            raise no_audio(answer)
        if isinstance(answer, Exception):
            raise answer
        return JSONResponse(answer, headers=_HEADERS)


def _timeline_asked(request: Request) -> bool:
    """Whether the query asks for the windows.

    Raises:
        RefusedError: it asks for something else, or the body is a form.
    """
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The body is a form: {BODY}.")
    given = request.query_params.multi_items()
    asked = [_SWITCH.get(value.lower()) for name, value in given if name == "timeline"]
    if len(asked) != len(given) or len(given) > 1 or None in asked:
        raise RefusedError(HTTPStatus.BAD_REQUEST, _ODD_QUERY)
    return bool(asked and asked[0])


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": message}, status, headers={**_HEADERS, **(headers or {})})


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, RefusedError)
    unknown = error.status is HTTPStatus.UNAUTHORIZED
    return _error(error.status, str(error), {"WWW-Authenticate": "Bearer"} if unknown else None)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path}"
    message = f"There is no {where}: POST a recording to /predict, or GET /health or the page at /."
    return _error(error.status_code, message, dict(error.headers or {}))


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody reads it: the sender went away within the body."""
    del request, error
    return _error(HTTPStatus.BAD_REQUEST, "The request ended within its body.")


async def _unforeseen(request: Request, error: Exception) -> Response:
    """The log has the traceback; the sender has a sentence."""
    logging.getLogger(__name__).error("%s failed", request.url.path, exc_info=error)
    message = "The server failed at this recording; its log says why."
    return _error(HTTPStatus.INTERNAL_SERVER_ERROR, message)
