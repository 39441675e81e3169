"""The page of a run served on loopback: it asks for newer values, and redraws without reloading.

Its address holds a token that nobody can guess: other users of the machine neither see the page nor
steer the search from it.
"""

import contextlib
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from raysearch.errors import InfrastructureError, RaysearchError, UserError, first_line
from raysearch.page.document import Live, RunDocument, to_json
from raysearch.page.html import page_html
from raysearch.sparing import Sparing

__all__ = ["LivePage", "served"]

HOST = "127.0.0.1"
# Reading a run anew may take this share of the time at most: a search may run in this process.
MOST_SHARE = 0.05
_NAMES = (HOST, "localhost")
# A command is a few settings.
MOST_BYTES = 100_000
TOKEN = "X-Raysearch-Token"


class LivePage:
    """A run's page as it is now, read anew no oftener than it may cost.

    Args:
        read: reads the run.
        every_s: seconds between two questions of the page.
        steer: takes what the page asks of the search, and says what became of it; None where
            nothing can be asked. Raises UserError for what cannot be done.

    Attributes:
        token: what whoever asks must know.
    """

    def __init__(
        self,
        read: Callable[[], RunDocument],
        every_s: float = 2.0,
        steer: Callable[[Mapping[str, object]], str] | None = None,
    ) -> None:
        self._read, self._steer = read, steer
        self._live = Live(every_s, steer is not None)
        self.token = secrets.token_urlsafe(24)
        self._lock, self._sparing = threading.Lock(), Sparing(MOST_SHARE)
        self._documents: list[RunDocument] = []

    def html(self) -> bytes:
        """Return the whole page; raises RaysearchError as reading the run does."""
        with self._lock:
            self._look_again()
            return page_html(self._documents, live=self._live).encode()

    def json(self) -> tuple[str, bytes]:
        """Return what the page draws, and the tag that it has for as long as it stays the same.

        Raises:
            RaysearchError: as reading the run does.
        """
        with self._lock:
            self._look_again()
            return self._tag, self._text

    def ask(self, text: bytes) -> str:
        """Pass on what the page asks of the search, and return what became of it.

        Raises:
            UserError: it cannot be done.
        """
        try:
            asked = json.loads(text)
        except (ValueError, RecursionError):
            raise UserError("not JSON") from None
        if self._steer is None or not isinstance(asked, dict):
            raise UserError("nothing that can be asked here")
        return self._steer(asked)

    def _look_again(self) -> None:
        if self._documents:
            self._sparing(self._look)
        else:
            self._look()

    def _look(self) -> None:
        self._documents = [self._read()]
        self._text = to_json(self._documents, live=self._live).encode()
        self._tag = f'"{hashlib.sha256(self._text).hexdigest()[:16]}"'


@contextlib.contextmanager
def served(page: LivePage, port: int = 0) -> Iterator[str]:
    """Serve ``page`` on loopback for the duration of a ``with``.

    Args:
        page: what is served.
        port: where; 0 for any that is free.

    Returns:
        Its address, with the token.

    Raises:
        InfrastructureError: the port is taken.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), _handler(page))
    except OSError as error:
        raise InfrastructureError(
            f"--port {port}: cannot be listened on ({error.strerror}); choose another, or 0"
        ) from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="live page", daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/?token={page.token}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(page: LivePage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers with the page, with what it draws, and takes what it asks of the search."""

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if not self._may(parse_qs(query).get("token", [""])[0]):
                return
            try:
                self._found(path)
            except Exception as error:  # a traceback would be written across the live table
                self._answer(500, "text/plain", f"{first_line(error)}\n".encode())

        def do_POST(self) -> None:
            size = self.headers.get("Content-Length", "")
            if not self._may(""):
                return
            if self.path != "/steer" or not size.isdecimal() or int(size) > MOST_BYTES:
                self._answer(404, "text/plain", b"there is /steer, for a short command\n")
                return
            try:
                self._answer(200, "text/plain", page.ask(self.rfile.read(int(size))).encode())
            except RaysearchError as error:
                self._answer(400, "text/plain", f"{error}\n".encode())
            except Exception as error:  # such as a full disk
                self._answer(500, "text/plain", f"{first_line(error)}\n".encode())

        def _may(self, token: str) -> bool:
            """Whether the token was given, and loopback's own name; else that is the answer."""
            given = self.headers.get(TOKEN, "") or token
            # Another site's page in the same browser can reach loopback under a name of its own.
            ours = self.headers.get("Host", "").rpartition(":")[0] in _NAMES
            may = ours and hmac.compare_digest(given.encode(), page.token.encode())
            if not may:
                self._answer(403, "text/plain", b"the address that raysearch printed opens it\n")
            return may

        def _found(self, path: str) -> None:
            if path == "/":
                return self._answer(200, "text/html", page.html())
            if path != "/document.json":
                return self._answer(404, "text/plain", b"there is / and /document.json\n")
            tag, text = page.json()
            if self.headers.get("If-None-Match") == tag:
                return self._answer(304, "application/json", b"", tag)
            return self._answer(200, "application/json", text, tag)

        def _answer(self, code: int, kind: str, body: bytes, tag: str = "") -> None:
            self.send_response(code)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            if tag:
                self.send_header("ETag", tag)
            self.end_headers()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body)

        def log_message(self, *values: object) -> None:
            """Write nothing: the terminal shows the search."""

    return Handler
