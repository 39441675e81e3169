"""An S3 server on loopback that can be made to answer with an error, whatever it is asked."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

__all__ = ["FlakyStore"]

BUCKET = "soak"


class FlakyStore:
    """moto behind a door; it serves until the process ends.

    Attributes:
        url: what ``--storage`` is to be.
        environment: what a client needs to find it.
        num_refused: requests that were answered with an error.
    """

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._status: HTTPStatus | None = None
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=_Silent
        )
        self.num_refused = 0
        self.url = f"s3://{BUCKET}/results"
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
        }
        threading.Thread(target=self._server.serve_forever, name="store", daemon=True).start()
        self._make_bucket()

    @contextmanager
    def answering(self, status: HTTPStatus) -> Iterator[None]:
        """Every request inside the ``with`` is answered with ``status``."""
        self._status = status
        try:
            yield
        finally:
            self._status = None

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        status = self._status
        if status is None:
            return self._moto(environ, start)
        # Unread, a body would be a reset connection to the client instead of this answer.
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        self.num_refused += 1
        code = {HTTPStatus.FORBIDDEN: "AccessDenied"}.get(status, "InternalError")
        body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
        headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
        start(f"{status.value} {status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _make_bucket(self) -> None:
        import boto3

        given = self.environment
        client = boto3.client(
            "s3",
            endpoint_url=given["AWS_ENDPOINT_URL"],
            region_name=given["AWS_REGION"],
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        )
        client.create_bucket(Bucket=BUCKET)


class _Silent(WSGIRequestHandler):
    """Tells nothing of its requests."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (werkzeug's name)
        del type, message, args
